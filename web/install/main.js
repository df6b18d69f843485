/**
 * The wizard: an end user connects an integration by a link, or repairs a connection.
 *
 *     /install/{publisher}/{slug}#<token>                      the link
 *     …?session=<handle>&modal&theme=dark&language=de#<token>  in a frame: see docs/wizard.md
 *     …?authorize=popup#<token>&<variables>                    the window that goes to the provider
 *
 * Secrets stay in memory. What else was typed is kept in the tab, across a reload and the way to the
 * provider and back.
 */

import {
  ApiError,
  Badge,
  Banner,
  Brand,
  Button,
  chosenLanguage,
  Dialog,
  Field,
  Icon,
  Loading,
  Picture,
  request,
  StepList,
  safeAddress,
  texts,
  wearBrand,
} from "../kit/basics.js";
import {
  controlOf,
  patchOf,
  pointer,
  problemsOf,
  SchemaForm,
  SecretFields,
  secretProblems,
  secretTitle,
  titleOf,
} from "../kit/schema_form.js";
import { html, render, useEffect, useRef, useState } from "../vendor/preact.js";

/**
 * @typedef {import("#api").components["schemas"]["InstallForm"]} Form
 * @typedef {import("#api").components["schemas"]["InstallCompletion"]} Completion
 * @typedef {import("#api").components["schemas"]["DryRunResult"]} TestResult
 * @typedef {import("#api").components["schemas"]["AuthorizationStep"]} Account
 * @typedef {import("#api").components["schemas"]["Step"]} Step
 * @typedef {(key: string, values?: Record<string, string | number>) => string} Texts
 * @typedef {{ t: Texts, codes: Record<string, [string, string]>, has: (key: string) => boolean }} Language
 * @typedef {{ token: string, storage: string }} Link `storage` names what the tab keeps of it
 * @typedef {{ variables: Record<string, unknown>, configurations: Record<string, unknown>, name: string }} Entered
 * @typedef {Map<string, string>} Errors by JSON Pointer, such as `/variables/region`
 */

// ---------------------------------------------------------------- the page around

/** Whether another page shows this one in a frame. */
const isFramed = window.parent !== window;

/** @type {string[]} */
let origins = [];

/** Who may hear of what happens. @param {string[]} allowed */
function allowOrigins(allowed) {
  // Where the browser says who shows this page, nobody else is addressed: it would complain.
  const around = isFramed ? location.ancestorOrigins?.[0] : undefined;
  origins = around ? allowed.filter((origin) => origin === around) : allowed;
}

/**
 * Tells the page that shows this one, or that opened its window.
 *
 * @param {"ready" | "resize" | "completed" | "failed" | "closed"} event
 * @param {Record<string, unknown>} [more]
 */
function tell(event, more = {}) {
  const host = isFramed ? window.parent : window.opener;
  for (const origin of host ? origins : [])
    host.postMessage({ type: "patchbay.install", event, ...more }, origin);
}

/** What the tab keeps; nothing where it may not. */
const kept = {
  /** @param {string} name */
  get(name) {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {string | null} value */
  set(name, value) {
    try {
      if (value === null) sessionStorage.removeItem(name);
      else sessionStorage.setItem(name, value);
    } catch {
      // Nothing is kept here: the page works until it is left.
    }
  },
};

/** Where the last page of the provider's flow leads back to: see callback_pages.py. */
const RETURN = "patchbay.return";

/** An error in the reader's language, where it has words for it. @param {ApiError} error @param {Language} language */
function inWords(error, { codes }) {
  const said = codes[error.code];
  return said ? Object.assign(new ApiError(`${said.join(". ")}`), { ...error }) : error;
}

// ---------------------------------------------------------------- the wizard

const FOLLOW_MS = 1000;

/** @param {Form} form @param {Link} link @returns {Entered} */
function firstEntered(form, link) {
  const defaults = Object.entries(Object(form.configurations_schema["properties"])).flatMap(
    ([name, schema]) => (Object.hasOwn(Object(schema), "default") ? [[name, schema.default]] : []),
  );
  const fresh = { variables: form.variables, configurations: Object.fromEntries(defaults), name: "" };
  try {
    const draft = JSON.parse(kept.get(`${link.storage} draft`) ?? "");
    if (draft.session === form.session_id) return { ...fresh, ...draft.entered };
  } catch {
    // There is none.
  }
  return fresh;
}

/**
 * The part of some errors that begins with a name, by the pointer behind it.
 *
 * @param {Errors} errors
 * @param {string} start
 */
const below = (errors, start) =>
  new Map(
    [...errors].flatMap(([place, message]) =>
      place.startsWith(`${start}/`) ? [[place.slice(start.length), message]] : [],
    ),
  );

/** @param {Record<string, any>} schema @param {Set<string>} hidden */
const asks = (schema, hidden) =>
  Array.isArray(schema["oneOf"] ?? schema["anyOf"]) ||
  Object.keys(Object(schema["properties"])).some((name) => !hidden.has(pointer("", name)));

/**
 * @param {{ form: Form, link: Link, language: Language, stop: (error: ApiError) => void }} props
 *   `stop` shows what ends the wizard.
 */
function Wizard({ form, link, language, stop }) {
  const { t } = language;
  const [entered, setEntered] = useState(() => firstEntered(form, link));
  const [secrets, setSecrets] = useState(/** @type {Record<string, string>} */ ({}));
  const [account, setAccount] = useState(form.authorization);
  const [errors, setErrors] = useState(() => fieldsOf(form.repair?.problems ?? [], language));
  const [refusal, setRefusal] = useState(/** @type {ApiError | null} */ (null));
  const [phase, setPhase] = useState(/** @type {"enter" | "test" | "store"} */ ("enter"));
  const [steps, setSteps] = useState(/** @type {Step[]} */ ([]));
  const [result, setResult] = useState(/** @type {TestResult | null} */ (null));
  const [asking, ask] = useState(false);
  const [done, setDone] = useState(/** @type {Completion | null} */ (null));
  const [attempt, setAttempt] = useState(form.repair?.problems.length ? 1 : 0);
  const place = useRef(/** @type {HTMLFormElement | null} */ (null));

  const name = form.integration.name;
  const repairs = form.mode === "repair";
  const hidden = new Set(account ? account.found_variables.map((one) => pointer("", one)) : []);
  const locked = new Set(form.locked);
  const busy = phase !== "enter";
  const needsAccount = account !== null && !account.authorized && !account.kept;

  useEffect(() => {
    document.title = t(repairs ? "title.repair" : "title.install", { name: form.repair?.name ?? name });
  }, []);
  useEffect(
    () => kept.set(`${link.storage} draft`, JSON.stringify({ session: form.session_id, entered })),
    [entered],
  );
  useEffect(() => {
    // What is wrong is where the work goes on.
    const [first] = errors.keys();
    if (!attempt || !place.current) return;
    const control = first ? partControl(place.current, first) : null;
    (control ?? place.current.querySelector("[data-summary]"))?.focus();
  }, [attempt]);

  /** @param {Errors} found */
  const mark = (found) => {
    setErrors(found);
    setAttempt((count) => count + 1);
  };
  /**
   * @param {"variables" | "configurations"} part
   * @returns {(value: Record<string, unknown>) => void}
   */
  const change = (part) => (value) => {
    setEntered((before) => ({ ...before, [part]: value }));
    forget(part, entered[part], value);
  };
  /** What was wrong with a value is not said of another one. @param {string} part @param {any} before @param {any} after */
  const forget = (part, before, after) => {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (one) => before[one] !== after[one],
    );
    const places = names.map((one) => pointer(`/${part}`, one));
    setErrors(
      (old) =>
        new Map([...old].filter(([at]) => !places.some((one) => at === one || at.startsWith(`${one}/`)))),
    );
  };

  const values = () => ({
    variables: patchOf(form.variables, entered.variables),
    secrets: Object.fromEntries(Object.entries(secrets).filter(([, value]) => value)),
    ...(repairs ? {} : { configurations: entered.configurations }),
  });

  /** @param {ApiError} error */
  const refused = (error) => {
    if (
      error.status === 401 ||
      error.code === "INSTALL_SESSION_ENDED" ||
      error.code === "INSTALL_NOT_POSSIBLE"
    )
      stop(error);
    else if (error.code === "AUTHORIZATION_REQUIRED") {
      mark(
        new Map([
          ["/account", t(error.details["reason"] === "other_values" ? "account.other" : "account.first")],
        ]),
      );
      if (account) setAccount({ ...account, authorized: false, kept: false });
    } else {
      setRefusal(inWords(error, language));
      const again = error.code === "SECRET_REENTRY_REQUIRED";
      mark(new Map(error.errors.map((one) => [one.pointer, again ? t("errors.reenter") : one.message])));
    }
  };

  /** What can be seen to be wrong before the server is asked. */
  const seen = () => {
    /** @type {Errors} */
    const found = new Map();
    for (const [at, message] of problemsOf(form.variables_schema, entered.variables, t, hidden)) {
      if (!locked.has(at)) found.set(`/variables${at}`, message);
    }
    for (const [at, message] of secretProblems(form.secrets, secrets, t)) found.set(`/secrets${at}`, message);
    if (needsAccount) found.set("/account", t("account.first"));
    else if (account?.choices.length && chosenOf(account, entered.variables) < 0)
      found.set("/account", t("account.choose"));
    if (!repairs) {
      for (const [at, message] of problemsOf(form.configurations_schema, entered.configurations, t))
        found.set(`/configurations${at}`, message);
    }
    return found;
  };

  const store = async () => {
    setPhase("store");
    ask(false);
    const body = { ...values(), ...(entered.name.trim() && !repairs ? { name: entered.name.trim() } : {}) };
    const { data } = await request("/v1/install/complete", { token: link.token, body });
    kept.set(`${link.storage} draft`, null);
    setDone(data);
    tell("completed", { connection_id: data.connection.id, source_id: data.source.id });
  };

  const test = async () => {
    setPhase("test");
    setSteps([]);
    setResult(null);
    // The steps as they end, so far as they can be read: the answer has them all.
    const progress = crypto.randomUUID();
    const look = () =>
      request(`/v1/install/tests/${progress}`, { token: link.token }).then(
        ({ data }) => setSteps((before) => (data.steps.length > before.length ? data.steps : before)),
        () => {},
      );
    const timer = setInterval(look, FOLLOW_MS);
    const body = { ...values(), progress };
    const { data } = await request("/v1/install/test", { token: link.token, body }).finally(() =>
      clearInterval(timer),
    );
    setSteps(data.steps);
    setResult(data);
    if (data.status === "succeeded") await store();
    else {
      tell("failed", { code: data.code });
      mark(
        fieldsOf(
          data.steps.filter((/** @type {Step} */ step) => step.status === "failed"),
          language,
        ),
      );
    }
  };

  /** @param {() => Promise<void>} act */
  const attemptTo = async (act) => {
    if (busy) return;
    setRefusal(null);
    const found = seen();
    if (found.size) {
      setResult(null);
      mark(found);
      return;
    }
    setErrors(new Map());
    try {
      await act();
    } catch (error) {
      refused(error instanceof ApiError ? error : new ApiError(String(error)));
    } finally {
      setPhase("enter");
    }
  };

  if (done)
    return html`<${Done} done=${done} form=${form} language=${language} account=${result?.account ?? null} />`;

  const failed = result?.status === "failed";
  const variables = below(errors, "/variables");
  const isAsked = asks(form.variables_schema, hidden) || form.secrets.length || account;
  return html`
    <section class="card wizard">
      <${About} form=${form} account=${account} t=${t} />
      <div class="stack work">
        <${Progress} at=${busy ? 1 : 0} t=${t} />
        ${form.repair && html`<${Repair} form=${form} repair=${form.repair} language=${language} />`}
        <form class="stack" noValidate ref=${place} onSubmit=${(/** @type {Event} */ event) => {
          event.preventDefault();
          attemptTo(test);
        }}>
          <${Summary} errors=${errors} refusal=${refusal} place=${place} form=${form} t=${t} />
          ${!isAsked && html`<p>${t("nothing")}</p>`}
          ${
            asks(form.variables_schema, hidden) &&
            html`<${Section} title=${t("section.values", { name })} plain=${!form.secrets.length && !account}>
              <div data-part="/variables">
                <${SchemaForm} schema=${form.variables_schema} value=${entered.variables} onChange=${change("variables")}
                  errors=${variables} locked=${locked} hidden=${hidden} t=${t} />
              </div>
            </${Section}>`
          }
          ${
            form.secrets.length > 0 &&
            html`<${Section} title=${t("section.secrets")} plain=${!asks(form.variables_schema, hidden) && !account}>
              <div data-part="/secrets">
                <${SecretFields} fields=${form.secrets} value=${secrets} errors=${below(errors, "/secrets")} t=${t}
                  onChange=${(/** @type {Record<string, string>} */ value) => {
                    forget("secrets", secrets, value);
                    setSecrets(value);
                  }} />
              </div>
            </${Section}>`
          }
          ${
            account &&
            html`<${Connecting} account=${account} form=${form} link=${link} language=${language} error=${errors.get("/account")}
              variables=${entered.variables} choose=${change("variables")} hasSecrets=${Object.keys(secrets).length > 0}
              refused=${refused} onRead=${(/** @type {Account} */ read) => {
                setAccount(read);
                setErrors((old) => new Map([...old].filter(([at]) => at !== "/account")));
              }} />`
          }
          ${!repairs && !needsAccount && html`<${Options} form=${form} entered=${entered} setEntered=${setEntered} change=${change("configurations")} errors=${errors} t=${t} />`}
          <${Tested} phase=${phase} steps=${steps} result=${result} form=${form} language=${language} />
          <div class="row actions">
            ${
              !needsAccount &&
              html`<${Button} type="submit" kind="primary" busy=${busy}>
                ${t(failed ? "submit.again" : repairs ? "submit.repair" : "submit.install")}
              </${Button}>`
            }
            ${failed && !busy && html`<${Button} onClick=${() => ask(true)}>${t(repairs ? "submit.anywayRepair" : "submit.anyway")}</${Button}>`}
            ${isFramed && !busy && html`<${Button} kind="quiet" onClick=${() => tell("closed")}>${t("submit.cancel")}</${Button}>`}
          </div>
        </form>
      </div>
    </section>
    <p class="muted fine">
      ${form.secrets.length > 0 && html`<${Icon} name="lock" />${t("about.safe")} `}
      ${t("about.until", { time: new Date(form.expires_at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }) })}
    </p>
    ${
      asking &&
      html`<${Dialog} title=${t(repairs ? "anyway.titleRepair" : "anyway.title")} onClose=${() => ask(false)}>
        <p>${t("anyway.text")}</p>
        <div class="row spread">
          <${Button} onClick=${() => ask(false)}>${t("anyway.back")}</${Button}>
          <${Button} kind="danger" onClick=${() => attemptTo(store)}>${t(repairs ? "submit.anywayRepair" : "submit.anyway")}</${Button}>
        </div>
      </${Dialog}>`
    }
  `;
}

/**
 * What was found wrong with which field.
 *
 * @param {{ field_pointer: string | null, summary: string }[]} found
 * @param {Language} language
 * @returns {Errors}
 */
const fieldsOf = (found, language) =>
  new Map(
    found.flatMap((one) =>
      one.field_pointer ? [[one.field_pointer, wordsOf(one, language).join(". ")]] : [],
    ),
  );

/**
 * What a failure means, and what to do about it.
 *
 * @param {{ code?: string | null, title?: string, remediation?: string, summary: string,
 *   diagnosis?: { title: string, remediation: string } | null }} found
 * @param {Language} language
 * @returns {[string, string]}
 */
const wordsOf = ({ code, title, remediation, summary, diagnosis }, { codes }) =>
  codes[code ?? ""] ?? [diagnosis?.title ?? title ?? summary, diagnosis?.remediation ?? remediation ?? ""];

// ---------------------------------------------------------------- parts

/** @param {{ title: string, plain?: unknown, children?: unknown }} props `plain` shows no title: it is the only section */
const Section = ({ title, plain, children }) =>
  html`<section class="stack">${!plain && html`<h2>${title}</h2>`}${children}</section>`;

/** @param {{ at: number, t: Texts }} props */
function Progress({ at: index, t }) {
  const names = ["details", "check", "done"].map((one) => t(`steps.${one}`));
  return html`
    <ol class="progress" aria-label=${t("steps")}>
      ${names.map(
        (
          name,
          place,
        ) => html`<li key=${place} class=${place < index ? "over" : ""} aria-current=${place === index ? "step" : undefined}>
          <span aria-hidden="true">${place < index ? html`<${Icon} name="check" />` : place + 1}</span>${name}
        </li>`,
      )}
    </ol>
    <p class="visually-hidden" role="status">${t("steps.at", { number: index + 1, name: names[index] ?? "" })}</p>
  `;
}

const FEW = 6;

/**
 * What is connected, for whom, and what it will be able to do.
 *
 * @param {{ form: Form, account: Account | null, t: Texts }} props
 */
function About({ form, account, t }) {
  const { integration, organization_name: organization, end_user_name: person, repair } = form;
  const scopes = account?.scopes ?? [];
  const abilities = integration.capabilities.map((one) => t(`capability.${one}`));
  if (form.monitor.enabled && !repair)
    abilities.push(t("about.monitor", { interval: intervalOf(form.monitor.interval, t) }));
  if (!abilities.length) abilities.push(t("about.reads", { name: integration.name }));
  const scope = (/** @type {string} */ one) => html`<li key=${one}><code>${one}</code></li>`;
  return html`<header class="stack about">
    <div class="row what">
      <${Picture} src=${integration.icon_url} name=${integration.name} size=${44} />
      <div>
        <h1>${repair ? t("title.repair", { name: repair.name }) : t("title.install", { name: integration.name })}</h1>
        <p class="muted">${t(person ? "about.forPerson" : "about.for", { organization, person: person ?? "" })}</p>
      </div>
    </div>
    ${integration.description && html`<p>${integration.description}</p>`}
    <p class="row">
      <span class="muted">${t("about.publisher", { publisher: integration.publisher })}</span>
      <${Badge} tone=${integration.trust_tier === "community" ? "idle" : "ok"} icon=${integration.trust_tier === "community" ? "info" : "check"}>
        ${t(`tier.${integration.trust_tier}`)}
      </${Badge}>
    </p>
    <div><h2>${t("about.abilities")}</h2><ul class="abilities">${abilities.map((one) => html`<li key=${one}><${Icon} name="check" /><span>${one}</span></li>`)}</ul></div>
    ${
      scopes.length > 0 &&
      html`<div><h2>${t("about.scopes", { name: integration.name })}</h2>
        <ul class="scopes">${scopes.slice(0, FEW).map(scope)}</ul>
        ${scopes.length > FEW && html`<details><summary>${t("about.more", { count: scopes.length - FEW })}</summary><ul class="scopes">${scopes.slice(FEW).map(scope)}</ul></details>`}
      </div>`
    }
  </header>`;
}

/** `15 min` of `15m`. @param {string | undefined} interval @param {Texts} t */
const intervalOf = (interval = "", t) =>
  t(`interval.${interval.slice(-1)}`, { count: interval.slice(0, -1) });

/** @param {{ form: Form, repair: NonNullable<Form["repair"]>, language: Language }} props */
function Repair({ form, repair, language }) {
  const { t } = language;
  const others = repair.other_connections;
  // What names a field stands beside it.
  const loose = repair.problems.filter((one) => !isAskedFor(one.field_pointer, form));
  return html`
    ${
      repair.problems.length
        ? html`<${Banner} tone="bad" title=${t("repair.title")}>
            ${(loose.length ? loose : repair.problems).map((one) => {
              const [title, advice] = wordsOf(one, language);
              return html`<p key=${one.code}>${title}.${loose.length > 0 && ` ${advice}`}</p>`;
            })}
          </${Banner}>`
        : html`<p>${t(repair.tested_at ? "repair.works" : "repair.never")}</p>`
    }
    ${others > 0 && html`<${Banner} tone="info">${t(others === 1 ? "repair.other" : "repair.others", { count: others })}</${Banner}>`}
  `;
}

/** Whether the form has a field for a pointer. @param {string | null} wanted @param {Form} form */
const isAskedFor = (wanted, form) =>
  Boolean(wanted) &&
  (form.secrets.some((one) => pointer("/secrets", one.name) === wanted) ||
    Object.keys(Object(form.variables_schema["properties"])).some((one) =>
      wanted?.startsWith(pointer("/variables", one)),
    ));

/**
 * What has to be corrected, when that is more than one field, or none of the form's.
 *
 * @param {{ errors: Errors, refusal: ApiError | null, place: { current: HTMLElement | null }, form: Form, t: Texts }} props
 */
function Summary({ errors, refusal, place, form, t }) {
  if (!refusal && errors.size < 2) return null;
  const message = refusal && !errors.size ? refusal.message : null;
  return html`<div data-summary tabindex="-1">
    <${Banner} tone="bad" title=${t(message ? "errors.titleRequest" : "errors.title")} live>
      ${message && html`<p>${message}</p>`}
      <ul class="errors">${[...errors].map(
        ([at, said]) =>
          html`<li key=${at}><a href="#page" onClick=${(/** @type {Event} */ event) => {
            event.preventDefault();
            partControl(place.current, at)?.focus();
          }}>${labelOf(at, form, t)}</a>: ${said}</li>`,
      )}</ul>
      ${message && refusal?.traceId && html`<p class="muted">${t("errors.trace")} <code>${refusal.traceId}</code></p>`}
    </${Banner}>
  </div>`;
}

/**
 * What a field is called.
 *
 * @param {string} at
 * @param {Form} form
 * @param {Texts} t
 */
function labelOf(at, form, t) {
  const [, part = "", name = ""] = at
    .split("/")
    .map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (part === "account") return t("section.account");
  if (part === "name") return t("name");
  if (part === "secrets") {
    const field = form.secrets.find((one) => one.name === name);
    return field ? secretTitle(field, t) : titleOf(name);
  }
  const schema = part === "configurations" ? form.configurations_schema : form.variables_schema;
  return titleOf(name || part, Object(Object(schema["properties"])[name]));
}

/** The control of a pointer into what is entered. @param {Element | null} place @param {string} wanted */
function partControl(place, wanted) {
  const parts = /** @type {HTMLElement[]} */ ([...(place?.querySelectorAll("[data-part]") ?? [])]);
  const part = parts.find(
    ({ dataset }) => wanted === dataset["part"] || wanted.startsWith(`${dataset["part"]}/`),
  );
  if (!part) return null;
  part.closest("details")?.setAttribute("open", "");
  return controlOf(part, wanted.slice(part.dataset["part"]?.length)) ?? part.querySelector("button");
}

/** The choice whose variables are entered; -1 if none is. @param {Account} account @param {Record<string, unknown>} variables */
const chosenOf = (account, variables) =>
  account.choices.findIndex((one) =>
    Object.entries(one.variables).every(
      ([name, value]) => JSON.stringify(variables[name]) === JSON.stringify(value),
    ),
  );

/** Names the property of a wizard's window that has the token for which it opened another. */
const OPENS = "patchbayOpens";

const LOOK_AGAIN_MS = 2500;
const LOOKS = 240;

/**
 * The account at the provider: connecting it, and what became of that.
 *
 * @param {{ account: Account, form: Form, link: Link, language: Language, error: string | undefined,
 *   variables: Record<string, unknown>, choose: (variables: Record<string, unknown>) => void, hasSecrets: boolean,
 *   refused: (error: ApiError) => void, onRead: (account: Account) => void }} props
 */
function Connecting({
  account,
  form,
  link,
  language,
  error,
  variables,
  choose,
  hasSecrets,
  refused,
  onRead,
}) {
  const { t, codes } = language;
  const { name } = form.integration;
  const [leaving, leave] = useState(false);
  const [waiting, wait] = useState(false);
  const [blocked, block] = useState(false);
  const patch = patchOf(form.variables, variables);

  const read = () =>
    request("/v1/install/authorize", { token: link.token }).then(({ data }) => {
      if (data.authorized || data.failure?.at !== account.failure?.at) {
        wait(false);
        onRead(data);
      }
    });
  useEffect(() => {
    if (!waiting) return undefined;
    // The window tells how it went, unless the browser or the provider keeps it from it.
    const channel = new BroadcastChannel("patchbay.oauth");
    const look = () =>
      read().catch((failure) => failure.status && failure.status !== 429 && refused(failure));
    channel.onmessage = look;
    const hear = (/** @type {MessageEvent} */ event) =>
      event.origin === location.origin && event.data?.type === "patchbay.oauth" && look();
    addEventListener("message", hear);
    let looks = 0;
    const timer = setInterval(() => {
      looks += 1;
      if (looks > LOOKS) wait(false);
      else look();
    }, LOOK_AGAIN_MS);
    return () => {
      channel.close();
      removeEventListener("message", hear);
      clearInterval(timer);
    };
  }, [waiting]);
  useEffect(() => {
    // Back from the provider by the browser's own button, the page is as it was left.
    const back = (/** @type {PageTransitionEvent} */ event) => event.persisted && leave(false);
    addEventListener("pageshow", back);
    return () => removeEventListener("pageshow", back);
  }, []);

  const openWindow = () => {
    kept.set(RETURN, null);
    const address = `${location.pathname}?authorize=popup#${link.token}&${encodeURIComponent(JSON.stringify(patch))}`;
    /** @type {any} */ (window)[OPENS] = link.token;
    const opened = window.open(address, "_blank", "popup,width=540,height=740");
    block(!opened);
    wait(Boolean(opened));
  };
  const goThere = async () => {
    leave(true);
    try {
      const { data } = await request("/v1/install/authorize", {
        token: link.token,
        body: { variables: patch },
      });
      const address = safeAddress(data.authorization_url);
      if (!address) throw new ApiError(data.authorization_url);
      kept.set(RETURN, location.pathname + location.search);
      location.assign(address);
    } catch (failure) {
      leave(false);
      refused(failure instanceof ApiError ? failure : new ApiError(String(failure)));
    }
  };
  // A frame can't keep the cookie of the flow, and a secret that was typed would not survive the way.
  const connect = isFramed || hasSecrets ? openWindow : goThere;
  const isConnected = account.authorized || account.kept;
  const { failure } = account;
  const [outcome, advice] = codes[failure?.outcome ?? ""] ?? [failure?.title ?? "", ""];
  const chosen = chosenOf(account, variables);
  return html`<section class="stack" data-part="/account">
    <h2>${t("section.account")}</h2>
    ${failure && !waiting && html`<${Banner} tone="bad" live><p>${outcome}${outcome.endsWith(".") ? "" : "."} ${advice}</p>${failure.summary && html`<p class="muted">${failure.summary}</p>`}</${Banner}>`}
    ${
      isConnected &&
      html`<${Banner} tone="ok" title=${t(account.authorized ? "account.connected" : "account.kept")} live>
        ${account.scopes_granted && html`<ul class="scopes">${account.scopes_granted.map((one) => html`<li key=${one}><code>${one}</code></li>`)}</ul>`}
      </${Banner}>`
    }
    ${
      account.scopes_missing.length > 0 &&
      html`<${Banner} tone="warn" title=${t("account.missing")}>
        <ul class="scopes">${account.scopes_missing.map((one) => html`<li key=${one}><code>${one}</code></li>`)}</ul>
      </${Banner}>`
    }
    ${
      account.choices.length > 0 &&
      html`<fieldset class="field" aria-describedby=${error ? "account-error" : undefined}>
        <legend>${t("account.choices")}</legend>
        ${account.choices.map(
          (one, index) => html`<label class="check choice" key=${index}>
            <input type="radio" name="choice" data-pointer="" checked=${index === chosen} onChange=${() => choose({ ...variables, ...one.variables })} />
            <span>${one.label}</span>
          </label>`,
        )}
      </fieldset>`
    }
    ${!isConnected && !waiting && html`<p class="muted">${t("account.why", { name })}</p>`}
    ${
      waiting
        ? html`<${Banner} tone="info" title=${t("account.waiting")} live>
            <p>${t("account.waitingMore")}</p>
            <${Button} kind="small" onClick=${openWindow}>${t("account.begin")}</${Button}>
          </${Banner}>`
        : html`<div class="row">
            <${Button} kind=${isConnected ? "small" : "primary"} busy=${leaving} onClick=${connect}>
              ${isConnected ? t("account.again") : t("account.connect", { name })}
            </${Button}>
            ${!isConnected && !isFramed && !hasSecrets && html`<${Button} kind="quiet" onClick=${openWindow}>${t("account.window")}</${Button}>`}
          </div>`
    }
    ${blocked && html`<${Banner} tone="warn" live>${t("account.blocked")}</${Banner}>`}
    ${error && html`<div class="field"><div class="error" id="account-error"><${Icon} name="alert" /><span>${error}</span></div></div>`}
  </section>`;
}

/**
 * What few people change: folded away, unless it must be filled in.
 *
 * @param {{ form: Form, entered: Entered, setEntered: (entered: Entered) => void,
 *   change: (value: Record<string, unknown>) => void, errors: Errors, t: Texts }} props
 */
function Options({ form, entered, setEntered, change, errors, t }) {
  const schema = form.configurations_schema;
  const required = Array.isArray(schema["required"]) && schema["required"].length > 0;
  return html`<details class="options" open=${required}>
    <summary>${t("section.more")}</summary>
    <div class="stack">
      <div data-part="/name">
        <${Field} label=${t("name")} optional=${t("form.optional")} error=${errors.get("/name")}>
          ${
            /** @param {any} control */ (
              control,
            ) => html`<input type="text" ...${control} data-pointer="" dir="auto" maxlength="200" autocomplete="off"
              placeholder=${form.integration.name} value=${entered.name}
              onInput=${(/** @type {any} */ event) => setEntered({ ...entered, name: event.currentTarget.value })} />`
          }
        </${Field}>
      </div>
      <div data-part="/configurations">
        <${SchemaForm} schema=${schema} value=${entered.configurations} onChange=${change} errors=${below(errors, "/configurations")} t=${t} />
      </div>
    </div>
  </details>`;
}

/**
 * The test: its steps as they end, and what it found.
 *
 * @param {{ phase: string, steps: Step[], result: TestResult | null, form: Form, language: Language }} props
 */
function Tested({ phase, steps, result, form, language }) {
  const { t, has } = language;
  const failed = result?.status === "failed" && phase === "enter";
  if (phase === "enter" && !failed) return null;
  const words = {
    passed: t("test.passedWord"),
    warning: t("test.warningWord"),
    failed: t("test.failedWord"),
    skipped: t("test.skippedWord"),
    running: t("test.running"),
    learnMore: t("test.learnMore"),
  };
  const broken = steps.find((step) => step.status === "failed");
  const beside = broken && isAskedFor(broken.field_pointer, form);
  const [title, advice] = broken ? wordsOf(broken, language) : [result?.message ?? "", ""];
  return html`<section class="stack tested" data-summary tabindex="-1">
    ${
      failed
        ? html`<${Banner} tone="bad" title=${t("test.failed")} live>
            <p>${title}${title.endsWith(".") ? "" : "."}${!beside && ` ${advice}`}</p>
          </${Banner}>`
        : html`<p role="status" class=${phase === "store" ? "muted" : "visually-hidden"}>${t(phase === "store" ? "test.passed" : "test.runningNow")}</p>`
    }
    <${StepList} running=${phase === "test"} words=${words} steps=${shownSteps(steps, failed, t, has)} />
  </section>`;
}

/**
 * The steps for a person who knows nothing of them: without what does not apply, and each with a name.
 * What a failed one means stands above them.
 *
 * @param {Step[]} steps
 * @param {boolean} failed
 * @param {Texts} t
 * @param {(key: string) => boolean} has
 */
const shownSteps = (steps, failed, t, has) =>
  steps
    .filter((step) => step.skip_reason !== "not_applicable")
    .map((step) => ({
      ...step,
      name: has(`step.${step.name}`) ? t(`step.${step.name}`) : step.name,
      diagnosis: failed && step.status === "failed" ? null : step.diagnosis,
    }));

/**
 * What was connected, and the way back.
 *
 * @param {{ done: Completion, form: Form, language: Language, account: string | null }} props
 */
function Done({ done, form, language, account }) {
  const { t } = language;
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const works = done.test.status !== "failed";
  const repairs = form.mode === "repair";
  const back = safeAddress(done.return_url);
  const { name, monitor } = done.connection;
  const title = t(
    `done.${repairs ? "repair" : works ? "install" : "failed"}${repairs && !works ? "Failed" : ""}`,
    { name },
  );
  useEffect(() => {
    document.title = title;
    heading.current?.focus();
  }, []);
  const warnings = done.test.steps.filter((step) => step.status === "warning" || step.status === "failed");
  return html`<section class="card ended">
    <span class=${`sign ${works ? "ok" : "warn"}`}><${Icon} name=${works ? "check" : "alert"} /></span>
    <h1 ref=${heading} tabindex="-1">${title}</h1>
    <dl class="facts">
      ${(done.test.account ?? account) && html`<dt>${t("done.account")}</dt><dd>${done.test.account ?? account}</dd>`}
      <dt>${t("done.connection")}</dt><dd>${name}</dd>
      ${monitor.enabled && html`<dt>${t("done.monitor")}</dt><dd>${t("done.every", { interval: intervalOf(monitor.interval, t) })}</dd>`}
    </dl>
    ${warnings.map((step) => {
      const [what, advice] = wordsOf(step, language);
      return html`<${Banner} key=${step.name} tone=${step.status === "failed" ? "bad" : "warn"} title=${what}>${advice}</${Banner}>`;
    })}
    ${
      isFramed
        ? html`<${Button} kind="primary" onClick=${() => tell("closed")}>${t("done.close")}</${Button}>`
        : back
          ? html`<a class="button primary" href=${back} rel="noreferrer">${t("done.back", { host: new URL(back).host })}</a>`
          : html`<p class="muted">${t("done.closeWindow")}</p>`
    }
  </section>`;
}

// ---------------------------------------------------------------- the page

const LANGUAGES = ["en", "de"];
const FROM_RIGHT = ["ar", "fa", "he", "ur"];
const TOKEN = /^pbi_[\w-]{43}$/;

const query = new URLSearchParams(location.search);

/**
 * Whether this is the window that goes to the provider by itself. Only the wizard of the same link opens
 * it, when a person asks it to: a link to it from elsewhere, even in a window whose opener has moved on
 * to a page of ours, would connect somebody's account before they see for whom.
 */
const isPopup = query.get("authorize") === "popup" && isOpenedByWizard();

function isOpenedByWizard() {
  try {
    return window.opener?.[OPENS] === location.hash.slice(1).split("&")[0];
  } catch {
    return false;
  }
}

/**
 * The link that led here. Its token goes out of the address bar, so that nobody copies it from there.
 *
 * @returns {{ link: Link, variables: unknown }}
 */
function readLink() {
  const storage = `patchbay.install ${location.pathname} ${query.get("session") ?? ""}`;
  const [given = "", rest = ""] = location.hash.slice(1).split("&", 2);
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
  return html`<${Frame}><section class="card ended">
    ${
      failure
        ? html`<h1>${t("account.notStarted")}</h1>
            <${Banner} tone="bad" live>
              <p>${failure.message}</p>
              ${failure.errors.map((one) => html`<p>${one.pointer.split("/").pop()}: ${one.message}</p>`)}
            </${Banner}>
            <${Button} onClick=${() => window.close()}>${t("account.close")}</${Button}>`
        : html`<span class="spinner" aria-hidden="true"></span><h1 role="status">${t("account.leaving")}</h1>`
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
