/**
 * What the smallest page needs: requests to the API, and the parts of forms and tests.
 *
 * Texts come from the page; each part is right from right to left, too.
 */

import { html, useEffect, useId, useRef, useState } from "../vendor/preact.js";

/**
 * @typedef {{ pointer: string, message: string }} FieldError
 * @typedef {{ method?: string, query?: Record<string, unknown>, body?: unknown, ifMatch?: string | null,
 *   key?: string, token?: string, signal?: AbortSignal }} Options
 *   `key` is the Idempotency-Key of a create; `token` an install session's.
 */

/** What the API refused, or what kept a request from reaching it (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string, traceId?: string, errors?: FieldError[],
   *   details?: Record<string, unknown>, retryAfter?: number }} [said]
   */
  constructor(message, said = {}) {
    super(message);
    this.status = said.status ?? 0;
    this.code = said.code ?? "UNREACHABLE";
    /** The id of the request, which the logs carry; empty if none came back. */
    this.traceId = said.traceId ?? "";
    /** What is wrong with which field, by JSON Pointer. */
    this.errors = said.errors ?? [];
    this.details = said.details ?? {};
    /** Seconds; 0 if the answer names none. */
    this.retryAfter = said.retryAfter ?? 0;
  }
}

/** What the window is told when the API no longer knows who calls: the session has ended. */
export const UNAUTHENTICATED = "patchbay-unauthenticated";

const UNREACHABLE = "The server can't be reached. Check your network, then try again.";
const UNREADABLE = "The server gave an answer that is not the API's. Try again in a minute.";

/**
 * One request.
 *
 * @param {string} path from `/`, its parts encoded with `encodeURIComponent`
 * @param {Options} [options]
 * @returns {Promise<{ data: any, etag: string | null }>} `data` is null for an answer without a body
 * @throws {ApiError} and `AbortError` if the signal ended it
 */
export async function request(path, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.token) headers.Authorization = `Bearer ${options.token}`;
  if (options.ifMatch) headers["If-Match"] = options.ifMatch;
  if (options.key) headers["Idempotency-Key"] = options.key;
  let answer;
  let text;
  try {
    answer = await fetch(path + queryText(options.query), {
      method: options.method ?? (options.body === undefined ? "GET" : "POST"),
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: options.signal ?? null,
    });
    text = await answer.text();
  } catch (failure) {
    if (options.signal?.aborted) throw failure;
    throw new ApiError(UNREACHABLE);
  }
  const data = parsed(text, answer.ok);
  if (answer.ok) return { data, etag: answer.headers.get("ETag") };
  const said = data?.error;
  if (answer.status === 401 && !options.token) dispatchEvent(new Event(UNAUTHENTICATED));
  throw new ApiError(said?.message ?? UNREADABLE, {
    status: answer.status,
    code: said?.code ?? "UNREADABLE",
    traceId: said?.trace_id ?? answer.headers.get("apigw-requestid") ?? "",
    errors: said?.details?.errors ?? [],
    details: said?.details ?? {},
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
}

/**
 * @param {string} text
 * @param {boolean} ok
 * @returns {any}
 */
function parsed(text, ok) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    if (ok) throw new ApiError(UNREADABLE);
    return null;
  }
}

/**
 * `?a=1&b=2`, without what is empty.
 *
 * @param {Record<string, unknown>} [query]
 */
export function queryText(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : "";
}

/**
 * @typedef {import("../vendor/preact.js").ComponentChildren} Children
 * @typedef {"ok" | "warn" | "bad" | "idle" | "info"} Tone
 * @typedef {"check" | "cross" | "alert" | "info" | "pause" | "question" | "skip" | "search" | "plus" | "copy" | "external" | "menu" | "plug" | "space" | "bell" | "key" | "list" | "book" | "gear" | "lock" | "building" | "blocks" | "back" | "seen" | "hidden"} IconName
 */

/** What every page draws; the others of `IconName` come with elements.js. @type {Record<IconName, string>} */
export const SHAPES = /** @type {any} */ ({
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  alert: "M12 4l9 16H3zM12 10v4M12 17v.5",
  info: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 7.5V8",
  question: "M9 9a3 3 0 115 2c-1 1-2 1.5-2 3M12 17.500v.5M12 3a9 9 0 100 18 9 9 0 000-18z",
  skip: "M5 12h14",
  plus: "M12 5v14M5 12h14",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 016 0v3",
  seen: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 100 6 3 3 0 000-6z",
  hidden:
    "M4 4l16 16M10 5.8A9 9 0 0112 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 01-3 3.7M6.5 7.5A16 16 0 002.5 12S6 18.5 12 18.5a9 9 0 004-1",
});

/**
 * A picture beside words; it says nothing by itself.
 *
 * @param {{ name: IconName }} props
 */
export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;

/** @type {Record<Tone, IconName>} */
const TONE_ICONS = { ok: "check", warn: "alert", bad: "cross", idle: "question", info: "info" };

/**
 * A word on a state: color, sign, and text say the same.
 *
 * @param {{ tone: Tone, icon?: IconName, children?: Children }} props
 */
export const Badge = ({ tone, icon, children }) =>
  html`<span class=${`badge ${tone}`}><${Icon} name=${icon ?? TONE_ICONS[tone]} />${children}</span>`;

/**
 * What a person has to know here. `live` has a screen reader say it when it appears.
 *
 * @param {{ tone: Tone, title?: Children, children?: Children, live?: boolean }} props
 */
export const Banner = ({ tone, title, children, live }) => html`
  <div class=${`banner ${tone}`} role=${live ? (tone === "bad" ? "alert" : "status") : undefined}>
    <${Icon} name=${TONE_ICONS[tone]} />
    <div>${title && html`<strong>${title}</strong>`}${children && html`<div>${children}</div>`}</div>
  </div>
`;

/**
 * A button. With `busy` it can't be pressed again, and says so; with `why` it is disabled, for this reason.
 *
 * @param {{ onClick?: (event: Event) => void, kind?: string, type?: "button" | "submit", busy?: boolean,
 *   why?: string | false | null, label?: string, children?: Children }} props
 */
export function Button({ onClick, kind = "", type = "button", busy = false, why, label, children }) {
  const blocked = busy || Boolean(why);
  // `aria-disabled`, not `disabled`: it keeps the focus, and its reason can be read.
  /** @param {Event} event */
  const press = (event) => {
    if (blocked) event.preventDefault();
    else onClick?.(event);
  };
  return html`<button
    type=${type}
    class=${`button ${kind}`}
    onClick=${press}
    aria-disabled=${blocked ? "true" : undefined}
    aria-busy=${busy ? "true" : undefined}
    aria-label=${label}
    title=${why || undefined}
  >
    ${busy && html`<span class="spinner" aria-hidden="true"></span>`}${children}
  </button>`;
}

/**
 * The address, if a page may lead there: our own, https, or http on loopback. Otherwise null.
 *
 * @param {string | null | undefined} address
 */
export function safeAddress(address) {
  if (!address) return null;
  let url;
  try {
    url = new URL(address, location.href);
  } catch {
    return null;
  }
  if (url.origin === location.origin || url.protocol === "https:") return url.href;
  const local = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  return url.protocol === "http:" && local ? url.href : null;
}

/**
 * A link to an address that others may have written: only where it is safe, else its text alone.
 *
 * @param {{ href: string | null | undefined, children?: Children, kind?: string }} props
 */
export function ForeignLink({ href, children, kind }) {
  const address = safeAddress(href);
  if (!address) return html`<span>${children}</span>`;
  return html`<a href=${address} class=${kind} target="_blank" rel="noopener noreferrer">
    ${children} <${Icon} name="external" />
  </a>`;
}

/**
 * The picture of an integration, or its first letter.
 *
 * @param {{ src: string | null | undefined, name: string, size?: number }} props
 */
export function Picture({ src, name, size = 28 }) {
  const [failed, setFailed] = useState(/** @type {string | null} */ (null));
  const address = src?.startsWith("https:") ? safeAddress(src) : null;
  const measure = { inlineSize: `${size}px`, blockSize: `${size}px`, fontSize: `${size * 0.5}px` };
  return html`<span class="picture" style=${measure} aria-hidden="true">
    ${
      address && failed !== address
        ? html`<img
            src=${address}
            alt=""
            loading="lazy"
            referrerpolicy="no-referrer"
            onError=${() => setFailed(address)}
          />`
        : [...name.trim()][0]?.toUpperCase()
    }
  </span>`;
}

/**
 * A labeled control. `children` is called with the attributes that tie the control to its label,
 * help, and error.
 *
 * @param {{ label: Children, help?: Children, error?: string | null | undefined, required?: boolean,
 *   optional?: string, children: (control: Record<string, unknown>) => unknown }} props
 *   `optional` is the word for what may be left out, shown beside the label.
 */
export function Field({ label, help, error, required = false, optional, children }) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}${optional && html` <span class="muted">${optional}</span>`}</label>
    ${children({
      id,
      required,
      "aria-invalid": error ? "true" : undefined,
      "aria-describedby": described || undefined,
    })}
    ${help && html`<div class="help" id=${`${id}-help`}>${help}</div>`}
    ${
      error &&
      html`<div class="error" id=${`${id}-error`}><${Icon} name="alert" /><span>${error}</span></div>`
    }
  </div>`;
}

/** While something is read for the first time. @param {{ lines?: number, label?: string }} props */
export const Loading = ({ lines = 3, label = "Loading" }) => html`
  <div class="stack" role="status" aria-label=${label}>
    ${Array.from({ length: lines }, (_, line) => html`<div class="skeleton" style=${{ inlineSize: `${90 - 17 * (line % 4)}%` }}></div>`)}
  </div>
`;

/**
 * A window over the page, with the browser's own handling of focus and Escape.
 *
 * @param {{ title: string, onClose: () => void, children?: Children }} props
 */
export function Dialog({ title, onClose, children }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return html`<dialog ref=${element} aria-labelledby=${id} onClose=${onClose}>
    <div class="stack"><h2 id=${id}>${title}</h2>${children}</div>
  </dialog>`;
}

// ---------------------------------------------------------------- the brand of the deployment

/** @param {string} name */
function branded(name) {
  const element = document.querySelector(`meta[name="brand-${name}"]`);
  return element instanceof HTMLMetaElement ? element.content : "";
}

/** The deployment's name: its own, or the product's. */
export const brandName = () => branded("name") || "Patchbay";

/** Sets the tokens of the style that follow from the deployment's color. */
export function wearBrand() {
  for (const token of ["accent", "accent-fill", "accent-fill-text", "accent-soft"]) {
    const value = branded(token);
    if (value) document.documentElement.style.setProperty(`--${token}`, value);
  }
}

/** The deployment's logo and name. The product's own mark stands beside its own name alone. */
export function Brand() {
  const logo = branded("logo");
  let mark = null;
  if (logo.startsWith("https:")) {
    mark = html`<img class="logo" src=${logo} alt="" referrerpolicy="no-referrer" />`;
  } else if (!branded("name")) {
    mark = html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="ground" width="32" height="32" rx="7" />
      <path d="M9 21V11h5a4 4 0 010 8h-1M23 11v10h-5" />
    </svg>`;
  }
  return html`${mark}<span>${brandName()}</span>`;
}

// ---------------------------------------------------------------- the steps of a test

/**
 * @typedef {import("#api").components["schemas"]["Step"]} Step
 * @typedef {{ passed: string, warning: string, failed: string, skipped: string, running: string,
 *   learnMore: string }} Words what a screen reader says of each state
 */

/** @type {Words} */
export const ENGLISH = {
  passed: "passed",
  warning: "warning",
  failed: "failed",
  skipped: "skipped",
  running: "running",
  learnMore: "Learn more",
};

/** @type {Record<Step["status"], ["ok" | "warn" | "bad" | "idle", "check" | "alert" | "cross" | "skip"]>} */
const SIGNS = {
  passed: ["ok", "check"],
  warning: ["warn", "alert"],
  failed: ["bad", "cross"],
  skipped: ["idle", "skip"],
};

/**
 * The steps in their order; with `running` one more that is not over yet.
 *
 * @param {{ steps: Step[], running?: boolean, words?: Words }} props
 */
export const StepList = ({ steps, running = false, words = ENGLISH }) => html`
  <ol class="steps" aria-live=${running ? "polite" : undefined}>
    ${steps.map((step, place) => {
      const [tone, sign] = SIGNS[step.status];
      return html`<li class=${tone} key=${place}>
        <${Icon} name=${sign} />
        <span>${step.name} <span class="visually-hidden">${words[step.status]}</span></span>
        <span class="muted numeric">${step.status === "skipped" ? words.skipped : duration(step.duration_ms)}</span>
        ${(step.status === "failed" || step.status === "warning") && html`<${Advice} step=${step} words=${words} />`}
      </li>`;
    })}
    ${
      running &&
      html`<li key="running"><span class="spinner" aria-hidden="true"></span><span class="muted">${words.running}…</span></li>`
    }
  </ol>
`;

/** @param {{ step: Step, words: Words }} props */
const Advice = ({ step, words }) => html`
  <div class="more">
    <p>${step.summary}</p>
    ${
      step.diagnosis &&
      html`<p><strong>${step.diagnosis.title}.</strong> ${step.diagnosis.remediation}
        ${step.diagnosis.doc_url && html` <${ForeignLink} href=${step.diagnosis.doc_url}>${words.learnMore}</${ForeignLink}>`}</p>`
    }
  </div>
`;

/** Of the page. */
export const language = () => document.documentElement.lang || "en";

/** @param {number} count */
export const number = (count) => new Intl.NumberFormat(language()).format(count);

/**
 * `340 ms`, `1.2 s`.
 *
 * @param {number} ms
 */
export const duration = (ms) =>
  ms < 1000
    ? `${number(Math.round(ms))} ms`
    : `${new Intl.NumberFormat(language(), { maximumFractionDigits: 1 }).format(ms / 1000)} s`;

// ---------------------------------------------------------------- texts

/** @typedef {Record<string, string>} Catalog */

/**
 * The first of the reader's languages that there is a catalog for, else the first catalog.
 *
 * @param {readonly string[]} offered such as `["en", "de"]`
 * @param {readonly string[]} [wanted]
 */
export function chosenLanguage(offered, wanted = navigator.languages) {
  const known = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return known.find((language) => offered.includes(language)) ?? offered[0] ?? "en";
}

/**
 * @param {Catalog} catalog
 * @param {Catalog} fallback what a catalog lacks comes from here
 * @returns {(key: string, values?: Record<string, string | number>) => string}
 */
export const texts =
  (catalog, fallback) =>
  (key, values = {}) =>
    (catalog[key] ?? fallback[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) =>
      name in values ? String(values[name]) : whole,
    );
