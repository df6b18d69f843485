/** Signing in: with an API key, by a link that somebody made, or at the identity provider. */

import { useAction, useResource } from "../../kit/api.js";
import { Banner, Brand, Button, Failure, Field } from "../../kit/elements.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { pageOf, useTitle } from "../dashboard.js";

const SESSIONS = "/v1/browser-sessions";
const HOME = "/app";

/**
 * Where signing in leads: only to a page of the dashboard, whatever the address asks for.
 *
 * @param {string | null} to
 */
export function destination(to) {
  if (!to) return HOME;
  let url;
  try {
    url = new URL(to, location.origin);
  } catch {
    return HOME;
  }
  const inside = url.origin === location.origin && /^\/app(\/|$)/.test(url.pathname);
  const known = inside && url.pathname !== location.pathname && pageOf(url.pathname);
  return known ? url.pathname + url.search + url.hash : HOME;
}

/** The code of a sign-in link. It works once: it leaves the address before anybody can copy it. */
function takenCode() {
  const code = location.hash.slice(1);
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** Why nobody came back from the identity provider signed in, by the code in the address. */
const FAILURES = new Map([
  ["refused", "Your identity provider, or you, refused. Try again, or use another account."],
  ["elsewhere", "That sign-in began in another browser, or more than ten minutes ago. Begin again."],
  ["unknown", "Your account belongs to no organization here. Ask whoever runs this deployment."],
  ["busy", "Too many people are signing in. Try again in a minute."],
  ["unavailable", "Your identity provider didn't answer as expected. Try again in a minute."],
]);

/** @param {import("../../kit/api.js").ApiError} error */
const refused = (error) => error.status >= 400 && error.status < 500 && error.status !== 429;

/** @param {string} key */
function problemOf(key) {
  if (!key) return "Enter your API key.";
  if (!key.startsWith("pb_")) return "An API key begins with pb_.";
  return null;
}

export default function SignIn() {
  useTitle("Sign in");
  const query = new URLSearchParams(location.search);
  const to = destination(query.get("to"));
  const reason = query.get("failed");
  const failed = reason && (FAILURES.get(reason) ?? FAILURES.get("unavailable"));
  const [code] = useState(takenCode);
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  const link = useAction();
  const form = useAction();
  const ways = useResource(`${SESSIONS}/ways`);
  const oidc = /** @type {{ oidc: boolean } | null} */ (ways.data)?.oidc;
  // What was read before is not kept for who signs in now: the page is loaded anew.
  const enter = () => location.replace(to);
  useEffect(() => {
    if (code) link.run(SESSIONS, { body: { code }, key: "" }).then((made) => made && enter());
  }, []);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const api_key = key.trim();
    const wrong = problemOf(api_key);
    setProblem(wrong);
    form.clear();
    if (wrong) return;
    if (await form.run(SESSIONS, { body: { api_key }, key: "" })) enter();
  };
  useEffect(() => {
    if (form.error && refused(form.error)) {
      setProblem("This key is not valid. It may be incomplete, revoked, or expired.");
    }
  }, [form.error]);
  /** @param {Event} event */
  const type = (event) => setKey(/** @type {HTMLInputElement} */ (event.target).value);
  const entering = code && !link.error;
  return html`<div class="sign-in">
    <div class="brand"><${Brand} /></div>
    <h1>${entering ? "Signing you in" : "Sign in"}</h1>
    <div class="card stack">
      ${
        entering &&
        html`<p class="row" role="status"><span class="spinner" aria-hidden="true"></span>This takes a moment.</p>`
      }
      ${!entering && query.has("ended") && !code && html`<${Banner} tone="info" live>Your session has ended. Sign in again to go on.</${Banner}>`}
      ${failed && !code && html`<${Banner} tone="bad" title="You are not signed in" live>${failed}</${Banner}>`}
      ${
        link.error &&
        (refused(link.error)
          ? html`<${Banner} tone="bad" title="This link doesn't work any more" live>
              A link signs in once, and soon ends. Ask for a new one, or use an API key.
            </${Banner}>`
          : html`<${Failure} error=${link.error} title="You can't be signed in now" retry=${() => location.reload()} again="Load again" />`)
      }
      ${
        !entering &&
        html`<form class="stack" onSubmit=${submit} novalidate>
          <${Field} label="API key" error=${problem} help="It is exchanged for a session of this browser, and kept nowhere.">
            ${(/** @type {Record<string, unknown>} */ control) =>
              html`<input ...${control} type="password" autocomplete="current-password" spellcheck=${false}
                autocapitalize="none" class="mono" value=${key} onInput=${type} />`}
          </${Field}>
          ${form.error && !refused(form.error) && html`<${Failure} error=${form.error} title="You can't be signed in now" />`}
          <${Button} type="submit" kind="primary" busy=${form.busy}>Sign in</${Button}>
        </form>`
      }
      ${
        !entering &&
        oidc &&
        html`<div class="or"><span>or</span></div>
          <a class="button" href=${`${SESSIONS}/oidc?${new URLSearchParams({ return_to: to })}`}>Continue with single sign-on</a>`
      }
    </div>
  </div>`;
}
