/** Draws attention: title and icon of the page, notifications, a sound. */

import { safeLine } from "../text/safe";
import { load } from "./storage";

/** Shape of the icon: a speech bubble. */
const BUBBLE = "M6 5h20a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H16l-8 6v-6H6a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z";

/** Shows the number of unread messages in the title and a dot in the icon. */
export function showUnread(title: string, unread: number, mentions: number): void {
  const text = unread > 0 ? `(${unread}) ${title}` : title;
  if (document.title !== text) document.title = text;
  const dot = unread === 0 ? "" : `<circle cx="25" cy="7" r="7" fill="${mentions > 0 ? "#d6293e" : "#e8a317"}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#0f6f78" d="${BUBBLE}"/>${dot}</svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (icon && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

/** Whether the browser allows notifications: it does not on a plain http page. */
export function notificationState(): "unavailable" | "default" | "granted" | "denied" {
  return !isSecureContext || !("Notification" in globalThis) ? "unavailable" : Notification.permission;
}

/** Plays a short, quiet tone. */
function playTone(): void {
  const audio = new AudioContext();
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0.08, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.3);
  gain.connect(audio.destination);
  const tone = new OscillatorNode(audio, { type: "sine", frequency: 660 });
  tone.connect(gain);
  tone.onended = () => void audio.close();
  tone.start();
  tone.stop(audio.currentTime + 0.3);
}

/** Tells of a message that concerns the user. `onOpen` shows it. */
export function notify(from: string, text: string, onOpen: () => void): void {
  if (load("sound")) playTone();
  if (document.visibilityState === "visible" || notificationState() !== "granted") return;
  const notification = new Notification(safeLine(from), { body: safeLine(text).slice(0, 200), tag: "pi-chat" });
  notification.onclick = () => {
    window.focus();
    notification.close();
    onOpen();
  };
}
