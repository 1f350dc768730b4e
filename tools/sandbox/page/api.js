/** The page's only way to the sandbox: its HTTP routes and its event socket. */

/** A request the sandbox refused; `message` is a sentence for people. */
class ApiError extends Error {}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/api/${path}`, { method, body });
  } catch {
    throw new ApiError("The sandbox does not answer. Is it still running?");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(`The sandbox answered ${response.status} with something that is not JSON.`);
  }
  if (!response.ok) throw new ApiError(answer?.message ?? `The sandbox refused this (${response.status}).`);
  return answer;
}

function multipart(payload, files) {
  const form = new FormData();
  form.append("payload_json", JSON.stringify(payload));
  files.forEach((file, n) => form.append(`files[${n}]`, file, file.name));
  return form;
}

/** Fetch who is here, the channels and the commands. */
export const loadState = () => call("GET", "state");

/** Fetch a channel's messages, oldest first. */
export const loadMessages = (channelId) => call("GET", `channels/${channelId}/messages`);

/** Post a message; `uploads` are `{file, spoiler}`. */
export function sendMessage(channelId, payload, uploads) {
  const attachments = uploads.map(({ file, spoiler }, id) => ({ id, filename: file.name, spoiler }));
  return call("POST", `channels/${channelId}/messages`, multipart({ ...payload, attachments }, uploads.map((u) => u.file)));
}

/** Change the text of one's own message. */
export const editMessage = (channelId, messageId, payload) =>
  call("PATCH", `channels/${channelId}/messages/${messageId}`, multipart(payload, []));

/** Delete a message. */
export const deleteMessage = (channelId, messageId, memberId) =>
  call("DELETE", `channels/${channelId}/messages/${messageId}?member_id=${memberId}`);

/** Start an interaction; resolves to `{interaction_id}`, or `{choices}` for autocomplete. */
export const interact = (payload, files = []) => call("POST", "interactions", multipart(payload, files));

/**
 * Listen for the sandbox's events for as long as the page is open.
 *
 * `onOpen` runs after every connect, also after a reconnect, when anything may have
 * been missed; `onClose` when the connection is lost.
 */
export function listen({ onEvent, onOpen, onClose }) {
  let delay = 250;
  const connect = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`);
    socket.onopen = () => {
      delay = 250;
      onOpen();
    };
    socket.onmessage = ({ data }) => onEvent(JSON.parse(data));
    socket.onclose = () => {
      onClose();
      setTimeout(connect, delay);
      delay = Math.min(delay * 2, 4000);
    };
  };
  connect();
}
