/**
 * The wizard's page: the token of its link, the reader's language, the operator's brand, and what
 * keeps the form from being shown. The form itself is in wizard.js.
 *
 *     /install/{publisher}/{slug}#<token>                      the link
 *     …?session=<handle>&modal&theme=dark&language=de#<token>  in a frame: see docs/wizard.md
 *     …?authorize=popup#<token>&<variables>                    the window that goes to the provider
 */

import {
  ApiError,
  Banner,
  Brand,
  Button,
  chosenLanguage,
  Icon,
  Loading,
  request,
  safeAddress,
  texts,
  wearBrand,
} from "../shared/basics.js";
import { html, render, useEffect, useRef, useState } from "../vendor/preact.js";
import { allowOrigins, inWords, isFramed, kept, RETURN, tell, Wizard } from "./wizard.js";

/**
 * @typedef {import("./wizard.js").Form} Form
 * @typedef {import("./wizard.js").Texts} Texts
 * @typedef {import("./wizard.js").Language} Language
 * @typedef {import("./wizard.js").Link} Link
 */

const LANGUAGES = ["en", "de"];
const FROM_RIGHT = ["ar", "fa", "he", "ur"];
const TOKEN = /^pbi_[\w-]{43}$/;

const query = new URLSearchParams(location.search);

/**
 * The link that led here. Its token goes out of the address bar, so that nobody copies it from there.
 *
 * @returns {{ link: Link, variables: unknown }}
 */
function readLink() {
  const storage = `patchbay.install ${location.pathname} ${query.get("session") ?? ""}`;
  const [given = "", rest = ""] = location.hash.slice(1).split("&", 2);
  const isPopup = query.get("authorize") === "popup";
  if (given) {
    history.replaceState(history.state, "", location.pathname + location.search);
    if (!isPopup) kept.set(storage, given);
  }
  let variables = {};
  try {
    variables = JSON.parse(decodeURIComponent(rest) || "{}");
  } catch {
    // It was cut off: the API says what is missing.
  }
  return { link: { token: given || (isPopup ? "" : (kept.get(storage) ?? "")), storage }, variables };
}

/** @returns {Promise<Language>} */
async function readLanguage() {
  const wanted = query.get("language");
  const language = chosenLanguage(LANGUAGES, wanted ? [wanted, ...navigator.languages] : undefined);
  document.documentElement.lang = language;
  document.documentElement.dir = FROM_RIGHT.includes(language) ? "rtl" : "ltr";
  const catalog = await (language === "de" ? import("./texts/de.js") : import("./texts/en.js"));
  return {
    t: texts(catalog.texts, catalog.texts),
    codes: catalog.codes,
    has: (key) => Object.hasOwn(catalog.texts, key),
  };
}

// ---------------------------------------------------------------- pages

/**
 * The page's frame. Its heading gets the focus when what is shown is another thing.
 *
 * @param {{ children?: unknown }} props
 */
const Frame = ({ children }) => html`<div class="brand"><${Brand} /></div><main>${children}</main>`;

/**
 * Why there is nothing to enter, and what to do now.
 *
 * @param {{ kind: string, t: Texts, error?: ApiError | null, retry?: (() => void) | null }} props
 */
function Ended({ kind, t, error, retry }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    document.title = heading.current?.textContent ?? "";
    heading.current?.focus();
  }, [kind]);
  const isDone = kind === "completed";
  return html`<section class="card ended">
    <span class=${`sign ${isDone ? "ok" : "warn"}`}><${Icon} name=${isDone ? "check" : "alert"} /></span>
    <h1 ref=${heading} tabindex="-1">${t(`ended.title.${kind}`)}</h1>
    <p>${error ? error.message : t(`ended.${kind}`)}</p>
    ${error?.traceId && html`<p class="muted">${t("errors.trace")} <code>${error.traceId}</code></p>`}
    ${retry && html`<${Button} kind="primary" onClick=${retry}>${t("again")}</${Button}>`}
    ${isFramed && html`<${Button} onClick=${() => tell("closed")}>${t("done.close")}</${Button}>`}
  </section>`;
}

/** What ends the wizard for good, by what the API says; null for what may pass. @param {ApiError} error */
function endOf(error) {
  if (error.status === 401 || error.status === 403) return "unknown";
  if (error.code === "INSTALL_NOT_POSSIBLE") return "impossible";
  if (error.code !== "INSTALL_SESSION_ENDED") return null;
  const status = String(error.details["status"]);
  return ["expired", "revoked", "completed"].includes(status) ? status : "unknown";
}

/** @param {{ link: Link, language: Language, first: Promise<{ data: Form }> | null }} props */
function Page({ link, language, first }) {
  const [form, setForm] = useState(/** @type {Form | null} */ (null));
  const [failure, setFailure] = useState(/** @type {ApiError | null} */ (null));
  const [end, setEnd] = useState(TOKEN.test(link.token) ? null : "incomplete");
  const { t } = language;
  /** @param {ApiError} error */
  const stop = (error) => {
    const kind = endOf(error);
    if (kind) setEnd(kind);
    else setFailure(inWords(error, language));
    tell("failed", { code: error.code });
  };
  /** @param {Promise<{ data: Form }>} reading */
  const read = (reading) => {
    setFailure(null);
    reading.then(({ data }) => {
      allowOrigins(data.allowed_origins);
      setForm(data);
      tell("ready");
    }, stop);
  };
  useEffect(() => {
    if (!end && first) read(first);
  }, []);
  let content;
  if (end) content = html`<${Ended} kind=${end} t=${t} />`;
  else if (failure) {
    const retry = () => read(request("/v1/install", { token: link.token }));
    content = html`<${Ended} kind="failed" t=${t} error=${failure} retry=${retry} />`;
  } else if (!form)
    content = html`<section class="card"><${Loading} label=${t("title.loading")} /></section>`;
  else content = html`<${Wizard} form=${form} link=${link} language=${language} stop=${stop} />`;
  return html`<${Frame}>${content}</${Frame}>`;
}

/**
 * The window that goes on to the provider. It is of this site alone, so the cookie that binds the
 * flow to the browser is kept; in a frame of another site it would not be.
 *
 * @param {{ link: Link, language: Language, variables: unknown }} props
 */
function Authorizing({ link, language, variables }) {
  const [failure, setFailure] = useState(/** @type {ApiError | null} */ (null));
  const { t } = language;
  useEffect(() => {
    document.title = t("title.loading");
    request("/v1/install/authorize", { token: link.token, body: { variables } }).then(
      ({ data }) => {
        const address = safeAddress(data.authorization_url);
        if (address) location.replace(address);
      },
      (error) => setFailure(inWords(error, language)),
    );
  }, []);
  const name = location.pathname.split("/").pop() ?? "";
  return html`<${Frame}><section class="card ended">
    ${
      failure
        ? html`<h1>${t("account.notStarted")}</h1>
            <${Banner} tone="bad" live>
              <p>${failure.message}</p>
              ${failure.errors.map((one) => html`<p>${one.pointer.split("/").pop()}: ${one.message}</p>`)}
            </${Banner}>
            <${Button} onClick=${() => window.close()}>${t("account.close")}</${Button}>`
        : html`<span class="spinner" aria-hidden="true"></span><h1 role="status">${t("account.leaving", { name })}</h1>`
    }
  </section></${Frame}>`;
}

async function start() {
  const place = document.getElementById("page");
  const { link, variables } = readLink();
  const theme = query.get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
  wearBrand();
  kept.set(RETURN, null);
  const isPopup = query.get("authorize") === "popup";
  // What the page needs comes at once with its words.
  const first = isPopup || !TOKEN.test(link.token) ? null : request("/v1/install", { token: link.token });
  first?.catch(() => {});
  const language = await readLanguage();
  if (!place) return;
  if (isFramed) sizeIsTold(place);
  render(
    isPopup && TOKEN.test(link.token)
      ? html`<${Authorizing} link=${link} language=${language} variables=${variables} />`
      : html`<${Page} link=${link} language=${language} first=${first} />`,
    place,
  );
}

/** Tells the height of the page, at first and whenever it changes. @param {Element} place */
const sizeIsTold = (place) =>
  new ResizeObserver(() =>
    tell("resize", { height: Math.ceil(place.getBoundingClientRect().height) }),
  ).observe(place);

if (query.has("modal")) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) tell("closed");
  });
}
// Another link that is opened in this tab differs in its fragment alone.
addEventListener("hashchange", () => location.hash.length > 1 && location.reload());
start();
