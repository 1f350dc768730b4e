/** Start the page: build its parts, then follow the sandbox's events. */

import { listen } from "./api.js";
import { Composer } from "./composer.js";
import { followInteractions } from "./interactions.js";
import { MessageList } from "./messages.js";
import { openModals } from "./modal.js";
import { showNavigation } from "./sidebar.js";
import { acceptDrops } from "./drop.js";
import { showTyping } from "./typing.js";
import { applyEvent, refresh } from "./state.js";

const byId = (id) => document.getElementById(id);

showNavigation(byId("servers"), byId("channels"), byId("header"));
followInteractions();
openModals();
new MessageList(byId("messages"));
const composer = new Composer(byId("composer"));
acceptDrops(document.querySelector("main"), byId("drop"), (files) => composer.addFiles(files));
showTyping(composer.node);

const connection = byId("connection");

function say(sentence) {
  connection.hidden = !sentence;
  connection.textContent = sentence;
}

let connected = false;

listen({
  onEvent: applyEvent,
  onOpen() {
    connected = true;
    // The line may be lost again before everything is fetched; then that is what counts.
    refresh().then(() => connected && say(""), (error) => say(error.message));
  },
  onClose() {
    connected = false;
    say("The connection to the sandbox is lost. Trying again…");
  },
});
