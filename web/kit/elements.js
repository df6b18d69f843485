/**
 * The parts that pages are made of, and how numbers and times are written.
 *
 * Texts come from the page; each part is right from right to left, too.
 */

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { AGAIN } from "./api.js";
import { Banner, Button, Dialog, Icon, language, SHAPES } from "./basics.js";

export {
  Badge,
  Banner,
  Brand,
  Button,
  brandName,
  Dialog,
  duration,
  ENGLISH,
  Field,
  ForeignLink,
  Icon,
  Loading,
  number,
  Picture,
  StepList,
  safeAddress,
  wearBrand,
} from "./basics.js";

/** @typedef {import("./basics.js").Children} Children */
/** @typedef {import("./basics.js").Tone} Tone */
/** @typedef {import("./basics.js").Step} Step */
/** @typedef {import("./basics.js").Words} Words */

Object.assign(SHAPES, {
  pause: "M9 6v12M15 6v12",
  search: "M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l5 5",
  copy: "M9 9h11v11H9zM5 15V4h11",
  menu: "M4 7h16M4 12h16M4 17h16",
  plug: "M9 3v5M15 3v5M6 8h12v4a6 6 0 01-12 0zM12 18v3",
  space: "M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z",
  bell: "M6 16V10a6 6 0 1112 0v6l2 2H4zM10 21h4",
  key: "M8 15a4 4 0 110-8 4 4 0 010 8zM12 11h9M18 11v4",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.5M4 12h.5M4 18h.5",
  book: "M5 4h12a2 2 0 012 2v14H7a2 2 0 01-2-2zM5 18a2 2 0 012-2h12",
  gear: "M12 9a3 3 0 100 6 3 3 0 000-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.5 5.500l2 2M16.5 16.500l2 2M18.5 5.500l-2 2M7.5 16.500l-2 2",
  building: "M5 20V4h9v16M14 9h5v11M8 8h3M8 12h3M8 16h3M3 20h18",
  blocks: "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
  back: "M15 5l-7 7 7 7",
});

/**
 * A time: how long ago, and exactly in its title.
 *
 * @param {{ at: string | null | undefined, none?: string }} props
 */
export function Time({ at, none = "never" }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return html`<span class="muted">${none}</span>`;
  return html`<time datetime=${at} title=${exactly(at)}>${ago(at)}</time>`;
}

/**
 * Copies a text, and says so.
 *
 * @param {{ text: string, label?: string, copied?: string }} props
 */
export function CopyButton({ text, label = "Copy", copied = "Copied" }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () => navigator.clipboard.writeText(text).then(() => setDone(true));
  return html`<${Button} kind="small" onClick=${copy}>
    <${Icon} name=${done ? "check" : "copy"} /><span aria-live="polite">${done ? copied : label}</span>
  </${Button}>`;
}

/**
 * Nothing is here yet: why, and the first step.
 *
 * @param {{ icon?: import("./basics.js").IconName, title: Children, children?: Children, action?: Children }} props
 */
export const Empty = ({ icon = "list", title, children, action }) => html`
  <div class="empty">
    <${Icon} name=${icon} />
    <strong>${title}</strong>
    ${children && html`<div class="muted">${children}</div>`}
    ${action}
  </div>
`;

/**
 * What kept something from being shown or done, place by place, with the id that the logs carry.
 *
 * @param {{ error: Error, retry?: () => void, title?: string, again?: string }} props
 */
export function Failure({ error, retry, title = "This can't be shown", again = "Try again" }) {
  const errors = /** @type {{ pointer: string, message: string }[]} */ (
    "errors" in error ? error.errors : []
  );
  const traceId = "traceId" in error ? String(error.traceId) : "";
  const press = () => {
    retry?.();
    // What failed for the same reason elsewhere on the page is read again with it.
    dispatchEvent(new Event(AGAIN));
  };
  return html`<${Banner} tone="bad" title=${title} live>
    <p>${error.message}</p>
    ${errors.length > 0 && html`<ul>${errors.map((one) => html`<li><code>${one.pointer}</code> ${one.message}</li>`)}</ul>`}
    ${traceId && html`<p class="muted">Trace id <code>${traceId}</code></p>`}
    ${retry && html`<p><${Button} kind="small" onClick=${press}>${again}</${Button}></p>`}
  </${Banner}>`;
}

/**
 * Asks before what can't be taken back.
 *
 * @param {{ title: string, children?: Children, confirm: string, busy?: boolean, error?: Error | null,
 *   onConfirm: () => void, onClose: () => void }} props
 */
export const Confirm = ({ title, children, confirm, busy = false, error, onConfirm, onClose }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    <div>${children}</div>
    ${error && html`<${Failure} error=${error} title="Nothing was changed" />`}
    <div class="row spread">
      <${Button} onClick=${onClose}>Cancel</${Button}>
      <${Button} kind="danger" busy=${busy} onClick=${onConfirm}>${confirm}</${Button}>
    </div>
  </${Dialog}>
`;

/**
 * A line of values from 0 to `top`; gaps where a value is null. Its text says what a picture shows.
 *
 * @param {{ values: (number | null)[], label: string, tone?: Tone, top?: number }} props
 */
export function Sparkline({ values, label, tone = "info", top = 100 }) {
  const step = values.length > 1 ? 100 / (values.length - 1) : 0;
  let path = "";
  let drawing = false;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      drawing = false;
      continue;
    }
    const place = `${(index * step).toFixed(2)} ${(26 - (value / (top || 1)) * 24).toFixed(2)}`;
    // A value between two gaps is a point: a line of no length with round ends.
    const lonely = !drawing && (values[index + 1] ?? null) === null;
    path += drawing ? `L${place}` : `M${place}${lonely ? "h0.01" : ""}`;
    drawing = true;
  }
  return html`<svg class=${`spark ${tone}`} viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path d=${path} stroke-linecap="round" />
  </svg>`;
}

/**
 * Rows with a header, in a frame that scrolls by itself where it is too wide.
 *
 * @param {{ caption: string, heads: Children[], children?: Children }} props
 */
export const Table = ({ caption, heads, children }) => html`
  <div class="table-wrap" role="region" aria-label=${caption} tabindex="0">
    <table>
      <caption class="visually-hidden">${caption}</caption>
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${children}</tbody>
    </table>
  </div>
`;

/** @type {Set<(message: { tone: Tone, text: string }) => void>} */
const listeners = new Set();

/**
 * Says something that happened, for some seconds, on whatever page that is.
 *
 * @param {string} text
 * @param {Tone} [tone]
 */
export const notify = (text, tone = "ok") => {
  for (const listener of listeners) listener({ tone, text });
};

/** Where `notify` is heard: once a page. */
export function Toasts() {
  const [shown, setShown] = useState(/** @type {{ id: number, tone: Tone, text: string }[]} */ ([]));
  const next = useRef(0);
  useEffect(() => {
    /** @param {{ tone: Tone, text: string }} message */
    const hear = (message) => {
      next.current += 1;
      const id = next.current;
      setShown((before) => [...before.slice(-2), { id, ...message }]);
      setTimeout(() => setShown((before) => before.filter((one) => one.id !== id)), 6000);
    };
    listeners.add(hear);
    return () => void listeners.delete(hear);
  }, []);
  return html`<div class="toasts" role="status">
    ${shown.map((one) => html`<${Banner} key=${one.id} tone=${one.tone}>${one.text}</${Banner}>`)}
  </div>`;
}

// ---------------------------------------------------------------- numbers and times

/**
 * A success rate, 0–100, as the API gives it. It is never rounded up to 100 %.
 *
 * @param {number} rate
 */
export function percent(rate) {
  const digits = rate > 99 && rate < 100 ? 2 : rate === 100 || rate === 0 ? 0 : 1;
  const shown = Math.floor(rate * 10 ** digits) / 10 ** digits;
  const format = new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: digits });
  return format.format(shown / 100);
}

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/**
 * `3 minutes ago`, `in 2 days`.
 *
 * @param {string | Date} time
 * @param {number} [now] milliseconds
 */
export function ago(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(0, "second");
}

/**
 * The exact time, in the reader's zone.
 *
 * @param {string | Date} time
 */
export const exactly = (time) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "long" }).format(new Date(time));

/**
 * @param {string | Date} time
 * @param {Intl.DateTimeFormatOptions} [options]
 */
export const day = (time, options = { day: "numeric", month: "short" }) =>
  new Intl.DateTimeFormat(language(), options).format(new Date(time));
