/**
 * The dashboard: where a person is, who that is, the parts that its pages have in common, and the frame
 * around them. A page is read when it is first seen.
 *
 * All of it is one module, as every page needs it: a first load has few requests.
 */

import { at, UNAUTHENTICATED, useAction, useResource } from "../kit/api.js";
import {
  Banner,
  Brand,
  Button,
  brandName,
  Empty,
  Failure,
  Icon,
  Loading,
  Toasts,
  wearBrand,
} from "../kit/elements.js";
import {
  createContext,
  html,
  render,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useRef,
  useState,
} from "../vendor/preact.js";

/**
 * @typedef {(props: any) => unknown} Page
 *   A page gets what stands in the `:places` of its address.
 */

const BASE = "/app";

/** @type {[string, () => Promise<{ default: Page }>][]} */
const PAGES = [
  ["/", () => import("./pages/overview.js")],
  ["/sign-in", () => import("./pages/sign_in.js")],
  ["/organizations", () => import("./pages/organizations.js")],
  ["/spaces/:slug", () => import("./pages/space.js")],
  ["/spaces/:slug/events", () => import("./pages/events.js")],
  ["/spaces/:slug/alerts", () => import("./pages/alerts.js")],
  ["/spaces/:slug/alerts/:alertId", () => import("./pages/alert.js")],
  ["/spaces/:slug/rules", () => import("./pages/rules.js")],
  ["/spaces/:slug/rules/:ruleId", () => import("./pages/rule.js")],
  ["/connections", () => import("./pages/connections.js")],
  ["/connections/:connectionId", () => import("./pages/connection.js")],
  ["/catalog", () => import("./pages/catalog.js")],
  ["/catalog/:publisher/:slug", () => import("./pages/catalog_entry.js")],
  ["/integrations", () => import("./pages/integrations.js")],
  ["/integrations/:integrationId", () => import("./pages/integration.js")],
  ["/audit", () => import("./pages/audit.js")],
  ["/keys", () => import("./pages/keys.js")],
  ["/settings", () => import("./pages/settings.js")],
  ["/settings/spaces", () => import("./pages/settings_lists.js")],
  ["/settings/oauth-applications", () => import("./pages/settings_lists.js")],
  ["/settings/:tab", () => import("./pages/settings.js")],
];

/**
 * The page of a path, and its places; null where there is none.
 *
 * @param {string} path as in `location.pathname`
 * @returns {{ load: () => Promise<{ default: Page }>, places: Record<string, string> } | null}
 */
export function pageOf(path) {
  const parts = path.slice(BASE.length).split("/").filter(Boolean);
  for (const [pattern, load] of PAGES) {
    const names = pattern.split("/").filter(Boolean);
    const fits = (/** @type {string} */ name, /** @type {number} */ index) =>
      name.startsWith(":") || name === parts[index];
    if (names.length !== parts.length || !names.every(fits)) continue;
    try {
      const places = names.map((name, index) => [name.slice(1), decodeURIComponent(parts[index] ?? "")]);
      return {
        load,
        places: Object.fromEntries(places.filter((_, index) => names[index]?.startsWith(":"))),
      };
    } catch {
      return null;
    }
  }
  return null;
}

/** @type {Set<() => void>} */
const listeners = new Set();
const tell = () => {
  for (const listener of listeners) listener();
};
addEventListener("popstate", tell);

/**
 * An address of the dashboard. The organization that an operator looks at goes along.
 *
 * @param {string} path below `/app`, its parts encoded: `` at`/connections/${id}` ``
 * @param {Record<string, string>} [query]
 */
export function href(path, query = {}) {
  const organization = new URLSearchParams(location.search).get("organization");
  const all = new URLSearchParams({ ...(organization ? { organization } : {}), ...query }).toString();
  return `${BASE}${path === "/" ? "" : path}${all ? `?${all}` : ""}`;
}

/**
 * Goes to an address of the dashboard, without reading the page anew.
 *
 * @param {string} address
 * @param {{ replace?: boolean }} [how] `replace` leaves no step back
 */
export function go(address, { replace = false } = {}) {
  if (address === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  tell();
}

/** The path that is shown, kept current. */
export function usePath() {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const follow = () => setPath(location.pathname);
    listeners.add(follow);
    return () => void listeners.delete(follow);
  }, []);
  return path;
}

/**
 * A value in the address, such as a filter: it survives a reload, and can be sent to somebody.
 *
 * @param {string} name
 * @param {string} [fallback] is left out of the address
 * @returns {[string, (value: string) => void]}
 */
export function useQuery(name, fallback = "") {
  const read = () => new URLSearchParams(location.search).get(name) ?? fallback;
  const [value, setValue] = useState(read);
  useEffect(() => {
    const follow = () => setValue(read());
    listeners.add(follow);
    return () => void listeners.delete(follow);
  }, [name]);
  return [
    value,
    (next) => {
      const query = new URLSearchParams(location.search);
      if (next === fallback) query.delete(name);
      else query.set(name, next);
      const text = query.toString();
      go(location.pathname + (text ? `?${text}` : ""), { replace: true });
    },
  ];
}

/**
 * What the window is called.
 *
 * @param {string} title
 */
export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · ${brandName()}` : brandName();
  }, [title]);
}

/** Lets links within the dashboard be followed without reading the page anew. @param {MouseEvent} event */
function followLinks(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.origin !== location.origin) return;
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (event.defaultPrevented || !pageOf(link.pathname) || !link.pathname.startsWith(BASE)) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
  scrollTo(0, 0);
}

// ---------------------------------------------------------------- who is signed in

/**
 * @typedef {import("#api").components["schemas"]["Caller"]} Session
 */

const SessionContext = createContext(/** @type {Session | null} */ (null));

export const READ = "platform.integration.read";
export const TEST = "platform.integration.test";
export const MANAGE = "platform.integration.manage";
export const ADMIN = "platform.admin";

/**
 * @param {Session} session
 * @param {string} permission
 */
export function holds(session, permission) {
  // Those that another one implies are among them.
  return /** @type {string[]} */ (session.permissions).includes(permission);
}

/**
 * What a page needs to know of who is signed in.
 *
 * `organization` is the path of the organization that is looked at: an operator may look at another
 * than its own, by `?organization=` in the address. `connectors` is the path of its endpoints and
 * connections. `why` is the reason to disable what a permission is missing for, or null.
 */
export function useSession() {
  const session = useContext(SessionContext);
  if (!session) throw new Error("No session");
  const asked = new URLSearchParams(location.search).get("organization");
  const id = (holds(session, ADMIN) && asked) || session.organization.id;
  const organization = at`/v1/organizations/${id}`;
  /** @param {string} permission */
  const can = (permission) => holds(session, permission);
  return {
    session,
    organizationId: id,
    organization,
    connectors: `${organization}/knowledge/connectors`,
    can,
    /** @param {string} permission */
    why: (permission) => (can(permission) ? null : `This needs the permission ${permission}`),
  };
}

// ---------------------------------------------------------------- parts of pages

/**
 * What a success rate means, in a word.
 *
 * @param {number} rate 0–100
 * @param {boolean} noData
 * @returns {{ tone: import("../kit/elements.js").Tone, word: string }}
 */
export function healthOf(rate, noData) {
  if (noData) return { tone: "idle", word: "No events" };
  if (rate >= 99) return { tone: "ok", word: "Healthy" };
  if (rate >= 95) return { tone: "warn", word: "Degraded" };
  return { tone: "bad", word: "Failing" };
}

/**
 * @typedef {import("../vendor/preact.js").ComponentChildren} Children
 */

/**
 * What a page is about, and what can be done here.
 *
 * @param {{ title: string, above?: Children, picture?: Children, actions?: Children, children?: Children }} props
 *   `above` leads back; `children` stand below the title.
 */
export function PageHead({ title, above, picture, actions, children }) {
  useTitle(title);
  return html`<div class="page-head">
    ${above && html`<div class="above">${above}</div>`}
    <div class="row spread">
      <div class="titled">${picture}<h1><bdi>${title}</bdi></h1></div>
      ${actions && html`<div class="row">${actions}</div>`}
    </div>
    ${children}
  </div>`;
}

/** Leads back to where a page belongs. @param {{ href: string, children?: Children }} props */
export const Back = (props) =>
  html`<a class="back" href=${props.href}><${Icon} name="back" />${props.children}</a>`;

/**
 * The search of a list: the key `/` comes here. `onChange` hears what was typed when typing rests.
 *
 * @param {{ label: string, value: string, onChange: (value: string) => void }} props
 */
export function SearchField({ label, value, onChange }) {
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => {
    if (typed === told.current) return undefined;
    const timer = setTimeout(() => {
      told.current = typed;
      onChange(typed);
    }, 200);
    return () => clearTimeout(timer);
  }, [typed]);
  /** @param {Event} event */
  const type = (event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value);
  return html`<label class="search">
    <span class="visually-hidden">${label}</span>
    <${Icon} name="search" />
    <input type="search" placeholder=${label} value=${typed} onInput=${type} />
    <kbd aria-hidden="true">/</kbd>
  </label>`;
}

/**
 * A filter of a list.
 *
 * @param {{ label: string, value: string, options: readonly (readonly [string, string])[],
 *   onChange: (value: string) => void }} props `options` are values and their words
 */
export function Choice({ label, value, options, onChange }) {
  const id = useId();
  /** @param {Event} event */
  const choose = (event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<div class="choice">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${choose}>
      ${options.map(([key, word]) => html`<option key=${key} value=${key}>${word}</option>`)}
    </select>
  </div>`;
}

/**
 * One of a few, all of them seen: days, views.
 *
 * @param {{ label: string, value: string, options: readonly (readonly [string, string])[],
 *   onChange: (value: string) => void }} props `options` are values and their words
 */
export const Switch = ({ label, value, options, onChange }) => html`
  <div class="switch" role="group" aria-label=${label}>
    ${options.map(
      ([key, word]) =>
        html`<button key=${key} type="button" aria-pressed=${key === value} onClick=${() => onChange(key)}>
          ${word}
        </button>`,
    )}
  </div>
`;

/**
 * A list of the API by pages: while it is read, what failed, what to do if it is empty, or its rows
 * (`children`) and how to read on.
 *
 * @param {{ list: import("../kit/api.js").Listed<any>, empty: Children, children?: Children }} props
 */
export function ListView({ list, empty, children }) {
  if (!list.items.length) {
    if (list.error) return html`<${Failure} error=${list.error} retry=${list.reload} />`;
    if (list.loading) return html`<${Loading} lines=${5} />`;
    // A filter may leave a page empty that is not the last.
    if (!list.more) return empty;
  }
  const again = list.outdated ? list.reload : (list.more ?? list.reload);
  const title = list.outdated ? "This is not up to date" : "The rest can't be shown";
  return html`${list.items.length > 0 && children}
    ${list.error && html`<${Failure} error=${list.error} retry=${again} title=${title} />`}
    ${
      list.more &&
      !list.error &&
      html`<div class="more-rows"><${Button} busy=${list.loading} onClick=${list.more}>Load more</${Button}></div>`
    }`;
}

/**
 * Why a change was not made. Where somebody else's came first, that is said, with a way to read
 * theirs; with `kept`, that what was typed stays.
 *
 * @param {{ error: import("../kit/api.js").ApiError | null, reload: () => void, kept?: boolean,
 *   title?: string }} props nothing without an error
 */
export function ChangeFailure({ error, reload, kept = false, title = "Nothing was changed" }) {
  if (!error) return null;
  if (error.status !== 412) return html`<${Failure} error=${error} title=${title} />`;
  return html`<${Banner} tone="warn" title="Somebody else changed this meanwhile" live>
    <p>Nothing of yours was saved, and nothing of theirs is lost.
      ${kept ? " Load it again: what you typed stays." : " Load it again, look, and repeat it if it is still right."}</p>
    <p><${Button} kind="small" onClick=${reload}>Load it again</${Button}></p>
  </${Banner}>`;
}

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
function CurrentPage({ path, organization = "" }) {
  const [shown, setShown] = useState(/** @type {{ path: string, page: Page } | null} */ (null));
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
  if (signingIn) return html`<${CurrentPage} path=${path} /><${Toasts} />`;
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
        <${CurrentPage} path=${path} organization=${organization} />
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
