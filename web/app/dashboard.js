/**
 * Where in the dashboard a person is, and who that is. A page is read when it is first seen.
 */

import { at } from "../shared/api.js";
import { createContext, useContext, useEffect, useState } from "../vendor/preact.js";

/**
 * @typedef {(props: Record<string, string>) => unknown} Page
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

/** Lets links within the dashboard be followed without reading the page anew. @param {MouseEvent} event */
export function followLinks(event) {
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
 * @typedef {{ organization: { id: string, name: string, external_id: string | null }, subject: string,
 *   permissions: string[], space: { id: string, slug: string } | null, expires_at: string | null,
 *   idle_ends_at: string | null, signed_in_by: string }} Session
 *   The answer of `GET /v1/browser-sessions/current`.
 */

export const SessionContext = createContext(/** @type {Session | null} */ (null));

export const READ = "platform.integration.read";
export const TEST = "platform.integration.test";
export const MANAGE = "platform.integration.manage";
export const ADMIN = "platform.admin";

/**
 * @param {Session} session
 * @param {string} permission
 */
export function holds(session, permission) {
  const held = session.permissions;
  if (held.includes(permission) || held.includes(ADMIN)) return true;
  return permission === TEST && held.includes(MANAGE);
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
