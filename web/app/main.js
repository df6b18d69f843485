/** The dashboard: its frame, and the page that the address names. */

import { useAction, useResource } from "../shared/api.js";
import { Button, Empty, Failure, Icon, Loading, Toasts } from "../shared/elements.js";
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "../vendor/preact.js";
import { ADMIN, followLinks, go, holds, href, pageOf, SessionContext, usePath } from "./dashboard.js";

/** @typedef {import("./dashboard.js").Session} Session */

const CURRENT = "/v1/browser-sessions/current";
const SIGN_IN = "/app/sign-in";

/** @type {[string, string, "space" | "plug" | "book" | "list" | "key" | "gear" | "menu"][]} */
const PLACES = [
  ["/", "Overview", "space"],
  ["/connections", "Connections", "plug"],
  ["/catalog", "Catalog", "book"],
  ["/integrations", "Integrations", "menu"],
  ["/audit", "Audit trail", "list"],
  ["/keys", "API keys", "key"],
  ["/settings", "Settings", "gear"],
];

/**
 * The page of the address: it gets the focus when it is new, so that a screen reader begins there.
 *
 * @param {{ path: string }} props
 */
function Page({ path }) {
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
    content = html`<${Empty} icon="question" title="There is no such page"
      action=${html`<a class="button" href=${href("/")}>To the overview</a>`} />`;
  } else if (broken || failure) {
    content = html`<${Failure} error=${failure ?? broken} retry=${reload} title="This page failed" again="Load again" />`;
  } else if (shown?.path === path) {
    content = html`<${shown.page} key=${path} ...${found.places} />`;
  }
  return html`<main id="main" tabindex="-1" ref=${frame}>${content}</main>`;
}

/** @param {{ session: Session, path: string }} props */
function Navigation({ session, path }) {
  const places = holds(session, ADMIN)
    ? [.../** @type {typeof PLACES} */ ([["/organizations", "Organizations", "space"]]), ...PLACES]
    : PLACES;
  return html`<nav aria-label="Dashboard">
    ${places.map(([place, name, icon]) => {
      const below = place !== "/" && path.startsWith(`/app${place}`);
      const home = place === "/" && (path === "/app" || path.startsWith("/app/spaces"));
      return html`<a key=${place} href=${href(place)} aria-current=${below || home ? "page" : undefined}>
        <${Icon} name=${icon} />${name}
      </a>`;
    })}
  </nav>`;
}

/** @param {{ session: Session }} props */
function SignedInAs({ session }) {
  const leaving = useAction();
  const leave = async () => {
    if (await leaving.run(CURRENT, { method: "DELETE" })) location.assign(SIGN_IN);
  };
  return html`<div class="who">
    <div><strong>${session.organization.name}</strong></div>
    <div class="muted mono">${session.subject}</div>
    ${session.space && html`<div class="muted">Space ${session.space.slug}</div>`}
    <${Button} kind="small" busy=${leaving.busy} onClick=${leave}>Sign out</${Button}>
    ${leaving.error && html`<${Failure} error=${leaving.error} title="You are still signed in" />`}
  </div>`;
}

function Dashboard() {
  const path = usePath();
  const signingIn = path === SIGN_IN;
  const current = useResource(signingIn ? null : CURRENT);
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const session = /** @type {Session | null} */ (current.data);
  const status = current.error && "status" in current.error ? current.error.status : 0;
  useEffect(() => {
    // Where a person was going is where signing in leads.
    if (status === 401) {
      go(`${SIGN_IN}?${new URLSearchParams({ to: location.pathname + location.search })}`, { replace: true });
    }
  }, [status]);
  if (signingIn) return html`<${Page} path=${path} /><${Toasts} />`;
  if (!session) {
    return html`<main id="main" class="alone">
      ${current.error && status !== 401 ? html`<${Failure} error=${current.error} retry=${current.reload} />` : html`<${Loading} />`}
    </main>`;
  }
  return html`<${SessionContext.Provider} value=${session}>
    <a class="skip button" href="#main">Skip to the content</a>
    <div class=${`frame ${open ? "open" : ""}`}>
      <header>
        <a class="brand" href=${href("/")}>Patchbay</a>
        <${Button} kind="menu" label="Menu" onClick=${() => setOpen(!open)}><${Icon} name="menu" /></${Button}>
      </header>
      <aside><${Navigation} session=${session} path=${path} /><${SignedInAs} session=${session} /></aside>
      <${Page} path=${path} />
    </div>
    <${Toasts} />
  </${SessionContext.Provider}>`;
}

const place = document.getElementById("page");
if (place) render(html`<${Dashboard} />`, place);
document.addEventListener("click", followLinks);
