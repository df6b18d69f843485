/** The dashboard: its frame, and the page that the address names. */

import { at, UNAUTHENTICATED, useAction, useResource } from "../shared/api.js";
import { Brand, Button, Empty, Failure, Icon, Loading, Toasts, wearBrand } from "../shared/elements.js";
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "../vendor/preact.js";
import {
  ADMIN,
  followLinks,
  holds,
  href,
  pageOf,
  SessionContext,
  Switch,
  usePath,
  useQuery,
} from "./dashboard.js";

/** @typedef {import("./dashboard.js").Session} Session */

const CURRENT = "/v1/browser-sessions/current";
const SIGN_IN = "/app/sign-in";

/** @type {[string, string, "space" | "plug" | "book" | "list" | "key" | "gear" | "blocks" | "building"][]} */
const PLACES = [
  ["/", "Overview", "space"],
  ["/connections", "Connections", "plug"],
  ["/catalog", "Catalog", "book"],
  ["/integrations", "Integrations", "blocks"],
  ["/audit", "Audit trail", "list"],
  ["/keys", "API keys", "key"],
  ["/settings", "Settings", "gear"],
];
/** What a key of one space can see. @type {typeof PLACES} */
const PLACES_OF_A_SPACE = [
  ["/", "Space", "space"],
  ["/connections", "Connections", "plug"],
];
/** @type {typeof PLACES} */
const PLACES_OF_THE_OPERATOR = [["/organizations", "Organizations", "building"], ...PLACES];

// ---------------------------------------------------------------- what a person prefers

/**
 * A choice that this browser keeps.
 *
 * @param {string} name
 * @param {string} fallback
 */
function kept(name, fallback) {
  try {
    return localStorage.getItem(`patchbay-${name}`) ?? fallback;
  } catch {
    // A browser may refuse to keep anything: then each page begins with the fallback.
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {string} fallback
 * @returns {[string, (value: string) => void]}
 */
function useKept(name, fallback) {
  const [value, setValue] = useState(() => kept(name, fallback));
  /** @param {string} next */
  const keep = (next) => {
    setValue(next);
    try {
      localStorage.setItem(`patchbay-${name}`, next);
    } catch {
      // It holds until the page is left.
    }
  };
  return [value, keep];
}

/** @param {string} theme */
function wear(theme) {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
}

/** @type {[string, string][]} */
const THEMES = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Preferences() {
  const [theme, setTheme] = useKept("theme", "system");
  const [slash, setSlash] = useKept("slash", "on");
  useEffect(() => wear(theme), [theme]);
  // A shortcut of one character has to be possible to turn off (WCAG 2.1.4): speech may type it.
  useEffect(() => {
    if (slash !== "on") return undefined;
    document.addEventListener("keydown", toSearch);
    return () => document.removeEventListener("keydown", toSearch);
  }, [slash]);
  return html`<details class="preferences">
    <summary>Preferences</summary>
    <div class="stack">
      <${Switch} label="Theme" value=${theme} options=${THEMES} onChange=${setTheme} />
      <label class="row">
        <input type="checkbox" checked=${slash === "on"} onChange=${() => setSlash(slash === "on" ? "off" : "on")} />
        <span><kbd>/</kbd> goes to the search</span>
      </label>
    </div>
  </details>`;
}

/** @param {KeyboardEvent} event */
function toSearch(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof Element && event.target.closest("input, textarea, select, dialog")) return;
  const search = document.querySelector("main input[type=search]");
  if (!(search instanceof HTMLInputElement)) return;
  event.preventDefault();
  search.select();
  search.focus();
}

// ---------------------------------------------------------------- the frame

/**
 * The page of the address: it gets the focus when it is new, so that a screen reader begins there.
 *
 * @param {{ path: string, organization?: string }} props
 */
function Page({ path, organization = "" }) {
  const [shown, setShown] = useState(
    /** @type {{ path: string, page: import("./dashboard.js").Page } | null} */ (null),
  );
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  const [broken, mend] = useErrorBoundary();
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const found = pageOf(path);
  const first = useRef(true);
  useEffect(() => {
    let current = true;
    setFailure(null);
    mend();
    found?.load().then(
      (module) => {
        if (!current) return;
        setShown({ path, page: module.default });
        if (!first.current) frame.current?.focus();
        first.current = false;
      },
      () => current && setFailure(new Error("A part of the dashboard can't be read. Load the page again.")),
    );
    return () => {
      current = false;
    };
  }, [path]);
  const reload = () => location.reload();
  let content = html`<${Loading} />`;
  if (!found) {
    content = html`<${Empty} icon="question" title=${html`<h1>There is no such page</h1>`}
      action=${html`<a class="button" href=${href("/")}>To the overview</a>`} />`;
  } else if (broken || failure) {
    content = html`<${Failure} error=${failure ?? broken} retry=${reload} title="This page failed" again="Load again" />`;
  } else if (shown?.path === path) {
    content = html`<${shown.page} key=${`${organization} ${path}`} ...${found.places} />`;
  }
  return html`<main id="main" tabindex="-1" ref=${frame}>${content}</main>`;
}

/** @param {{ session: Session, path: string }} props */
function Navigation({ session, path }) {
  let places = PLACES;
  if (session.space) places = PLACES_OF_A_SPACE;
  else if (holds(session, ADMIN)) places = PLACES_OF_THE_OPERATOR;
  return html`<nav aria-label="Dashboard">
    ${places.map(([place, name, icon]) => {
      const below = place !== "/" && (path === `/app${place}` || path.startsWith(`/app${place}/`));
      const home = place === "/" && (path === "/app" || path.startsWith("/app/spaces"));
      return html`<a key=${place} href=${href(place)} aria-current=${below || home ? "page" : undefined}>
        <${Icon} name=${icon} />${name}
      </a>`;
    })}
  </nav>`;
}

/**
 * Whose data an operator looks at, if it isn't its own organization's.
 *
 * @param {{ organization: string }} props
 */
function Visited({ organization }) {
  const { data } = useResource(at`/v1/organizations/${organization}`);
  const name = /** @type {import("#api").components["schemas"]["Organization"] | null} */ (data)?.name;
  return html`<div class="visited">
    <span>You look at <strong><bdi>${name ?? organization}</bdi></strong></span>
    <a href="/app">Back to your own</a>
  </div>`;
}

/** @param {{ session: Session }} props */
function SignedInAs({ session }) {
  const leaving = useAction();
  const leave = async () => {
    if (await leaving.run(CURRENT, { method: "DELETE" })) location.assign(SIGN_IN);
  };
  return html`<div class="who">
    <strong><bdi>${session.organization.name}</bdi></strong>
    <div class="muted mono subject" title=${session.subject}>${session.subject}</div>
    ${session.space && html`<div class="muted">Only the space <code>${session.space.slug}</code></div>`}
    <${Button} kind="small" busy=${leaving.busy} onClick=${leave}>Sign out</${Button}>
    ${leaving.error && html`<${Failure} error=${leaving.error} title="You are still signed in" />`}
  </div>`;
}

function Dashboard() {
  const path = usePath();
  const [organization] = useQuery("organization");
  const signingIn = path === SIGN_IN;
  const current = useResource(signingIn ? null : CURRENT);
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const session = /** @type {Session | null} */ (current.data);
  const status = current.error && "status" in current.error ? current.error.status : 0;
  const lost = useRef(false);
  useEffect(() => {
    // Any request may be the one that finds the session ended.
    const ask = () => !lost.current && current.reload();
    addEventListener(UNAUTHENTICATED, ask);
    return () => removeEventListener(UNAUTHENTICATED, ask);
  }, []);
  useEffect(() => {
    if (status !== 401 || lost.current) return;
    lost.current = true;
    // Where a person was going is where signing in leads. Nothing that was read stays behind.
    const to = location.pathname + location.search;
    location.replace(`${SIGN_IN}?${new URLSearchParams({ to, ...(session ? { ended: "1" } : {}) })}`);
  }, [status]);
  if (signingIn) return html`<${Page} path=${path} /><${Toasts} />`;
  if (!session || status === 401) {
    return html`<main id="main" class="alone">
      ${
        current.error && status !== 401
          ? html`<${Failure} error=${current.error} retry=${current.reload} title="The dashboard can't be shown" />`
          : html`<${Loading} />`
      }
    </main>`;
  }
  const visits = holds(session, ADMIN) && organization && organization !== session.organization.id;
  return html`<${SessionContext.Provider} value=${session}>
    <a class="skip button" href="#main">Skip to the content</a>
    <div class=${`frame ${open ? "open" : ""}`}>
      <header>
        <a class="brand" href=${href("/")}><${Brand} /></a>
        <button class="button menu" type="button" aria-label="Menu" aria-expanded=${open ? "true" : "false"}
          aria-controls="aside" onClick=${() => setOpen(!open)}><${Icon} name="menu" /></button>
      </header>
      <aside id="aside" aria-label="Navigation">
        <${Navigation} session=${session} path=${path} />
        <div class="foot"><${Preferences} /><${SignedInAs} session=${session} /></div>
      </aside>
      <div class="content">
        ${visits && html`<${Visited} organization=${organization} />`}
        <${Page} path=${path} organization=${organization} />
      </div>
    </div>
    <${Toasts} />
  </${SessionContext.Provider}>`;
}

wear(kept("theme", "system"));
wearBrand();
const place = document.getElementById("page");
if (place) render(html`<${Dashboard} />`, place);
document.addEventListener("click", followLinks);
