/** Photos dropped anywhere on the channel. */

/** Hand dropped files to `onFiles`; `veil` shows while they hover over `area`. */
export function acceptDrops(area, veil, onFiles) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(event.relatedTarget)) veil.hidden = true;
  });
  area.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    onFiles([...event.dataTransfer.files]);
  });
}
