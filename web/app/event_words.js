/** Events of a space in words, as rows, and one in full. */

import { at } from "../kit/api.js";
import { Badge, CopyButton, Dialog, day, duration, exactly, Time } from "../kit/elements.js";
import { html } from "../vendor/preact.js";
import { href } from "./dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Event"]} Event
 * @typedef {import("#api").components["schemas"]["IntegrationType"]} IntegrationType
 */

/** @type {Record<IntegrationType, string>} */
export const TYPE_WORDS = {
  metadata_sync: "Metadata sync",
  quality_check: "Quality check",
  profiling: "Profiling",
  webhook: "Webhook",
  alert: "Alert",
  connection_test: "Connection test",
  usage: "Usage",
};

/** @type {Intl.DateTimeFormatOptions} */
const TO_THE_SECOND = {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
};

/** For filters. @type {[string, string][]} */
export const TYPE_CHOICES = [["", "Any"], ...Object.entries(TYPE_WORDS)];

/** @param {Event} event @returns {["ok" | "warn" | "bad", string]} */
const outcome = (event) => {
  if (event.status === "SUCCESS") return ["ok", "Success"];
  return event.platform_fault ? ["warn", "Platform fault"] : ["bad", "Error"];
};

/** @param {{ event: Event }} props */
export function Outcome({ event }) {
  const [tone, word] = outcome(event);
  return html`<${Badge} tone=${tone}>${word}</${Badge}>`;
}

/**
 * One event in a list. Its time opens it in full.
 *
 * @param {{ event: Event, connection: string | undefined, fresh?: boolean, exact?: boolean,
 *   onOpen: (event: Event) => void }} props
 *   `connection` is the name of its connection, where it is known; `fresh` marks what has just come in;
 *   `exact` writes the time to the second, to be found in logs
 */
export const EventRow = ({ event, connection, fresh = false, exact = false, onOpen }) => html`
  <tr class=${`linked ${fresh ? "fresh" : ""}`}>
    <th scope="row" class="nowrap">
      <button type="button" class="whole" onClick=${() => onOpen(event)}>${
        exact
          ? html`<time datetime=${event.occurred_at}>${day(event.occurred_at, TO_THE_SECOND)}</time>`
          : html`<${Time} at=${event.occurred_at} />`
      }</button>
      ${fresh && html` <span class="new">new</span>`}
      <div class="narrow muted below">
        ${TYPE_WORDS[event.integration_type] ?? event.integration_type}${event.error_code && html` · <code>${event.error_code}</code>`}
      </div>
    </th>
    <td><${Outcome} event=${event} /></td>
    <td class="wide nowrap">${TYPE_WORDS[event.integration_type] ?? event.integration_type}</td>
    <td class="wide"><div class="clip"><bdi>${connection ?? event.connection_id ?? ""}</bdi></div></td>
    <td class="wide filling">
      <div class="clip">${event.error_code && html`<code>${event.error_code}</code> `}<bdi>${event.message ?? ""}</bdi></div>
    </td>
    <td class="numeric wide">${event.duration_ms === null ? "" : duration(event.duration_ms)}</td>
  </tr>
`;

/** The heads of a table of `EventRow`s. */
export const EVENT_HEADS = [
  "Time",
  "Outcome",
  html`<span class="wide">Type</span>`,
  html`<span class="wide">Connection</span>`,
  html`<span class="wide">Message</span>`,
  html`<span class="numeric wide">Duration</span>`,
];

/** @param {{ event: Event, connection: string | undefined, onClose: () => void }} props */
export function EventDetails({ event, connection, onClose }) {
  const metadata = event.metadata && JSON.stringify(event.metadata, null, 2);
  const link = event.connection_id && href(at`/connections/${event.connection_id}`);
  return html`<${Dialog} title=${TYPE_WORDS[event.integration_type] ?? event.integration_type} onClose=${onClose}>
    <div><${Outcome} event=${event} /></div>
    ${event.message && html`<p class="prose" dir="auto">${event.message}</p>`}
    <dl class="facts">
      <dt>Occurred</dt><dd>${exactly(event.occurred_at)}</dd>
      <dt>Received</dt><dd>${exactly(event.received_at)}</dd>
      ${event.error_code && html`<dt>Error code</dt><dd><code>${event.error_code}</code></dd>`}
      ${event.duration_ms !== null && html`<dt>Duration</dt><dd>${duration(event.duration_ms)}</dd>`}
      ${link && html`<dt>Connection</dt><dd><a href=${link}><bdi>${connection ?? event.connection_id}</bdi></a></dd>`}
      <dt>Id</dt><dd><code>${event.id}</code></dd>
    </dl>
    ${event.platform_fault && html`<p class="muted">This failed because of Patchbay itself, so it counts in no rate.</p>`}
    ${metadata && html`<div class="stack tight"><h3>Metadata</h3><pre tabindex="0">${metadata}</pre></div>`}
    <div class="row spread">
      <${CopyButton} text=${JSON.stringify(event, null, 2)} label="Copy as JSON" />
      <button type="button" class="button" onClick=${onClose}>Close</button>
    </div>
  </${Dialog}>`;
}

/**
 * The request that sends a first event to a space, to be pasted into a shell.
 *
 * @param {string} slug
 */
export const firstEvent = (
  slug,
) => `curl ${location.origin}/spaces/${encodeURIComponent(slug)}/integration-events \\
  -H "Authorization: Bearer $API_KEY" -H "Content-Type: application/json" \\
  -d '{"events": [{"integration_type": "metadata_sync", "status": "SUCCESS"}]}'`;
