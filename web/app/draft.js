/** A draft being edited: what is typed, kept through a reload of the tab, saved, and checked. */

import { ApiError, request } from "../kit/api.js";
import { patchOf } from "../kit/schema_form.js";
import { useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { changesBetween, readJson, unstorable } from "./json_text.js";

/**
 * @typedef {import("#api").components["schemas"]["Integration"]} Integration
 * @typedef {import("#api").components["schemas"]["PublishReport"]} Report
 * @typedef {import("./json_text.js").JsonText} JsonText
 * @typedef {import("../kit/api.js").FieldError} FieldError
 * @typedef {"variablesSchema" | "authConfig" | "manifest"} Document
 * @typedef {Record<string, string>} Typed what each field shows, the documents as JSON
 * @typedef {{ etag: string | null, base: Record<string, unknown>, typed: Typed }} Kept
 */

/** @type {[Document, string, string][]} */
export const DOCUMENTS = [
  ["variablesSchema", "Variables", "A JSON Schema of what is asked for and is not secret."],
  ["authConfig", "Authentication", "Which credential there is, and where it goes."],
  ["manifest", "Manifest", "What it can do, and the steps that prove that it works."],
];
const FIELDS = ["name", "description", "iconUrl", "visibility", "retentionTier", "trustTier"];
const NULLABLE = ["description", "iconUrl", "retentionTier"];

/** What of an integration can be edited. @param {Record<string, any>} integration @returns {Record<string, unknown>} */
const editableOf = (integration) =>
  Object.fromEntries(
    [...FIELDS, ...DOCUMENTS.map(([name]) => name)].map((name) => [name, integration[name] ?? null]),
  );

/** @param {Record<string, unknown>} values @returns {Typed} */
const typedOf = (values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      FIELDS.includes(name) ? String(value ?? "") : JSON.stringify(value, null, 2),
    ]),
  );

/** @param {Integration} integration @param {string | null} etag @returns {Kept} */
const startOf = (integration, etag) => {
  const base = editableOf(integration);
  return { etag, base, typed: typedOf(base) };
};

/** @param {string} id */
const placeOf = (id) => `patchbay-draft-${id}`;

/** @param {string} id @returns {Kept | null} */
function keptOf(id) {
  try {
    return JSON.parse(sessionStorage.getItem(placeOf(id)) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} id @param {Kept | null} kept */
function keep(id, kept) {
  try {
    if (kept) sessionStorage.setItem(placeOf(id), JSON.stringify(kept));
    else sessionStorage.removeItem(placeOf(id));
  } catch {
    // A browser that keeps nothing still warns when the page is left.
  }
}

/**
 * @param {Integration} integration as it was read
 * @param {string | null} etag
 * @param {(integration: Integration, etag: string | null) => void} onRead hears what saving answered
 */
export function useDraft(integration, etag, onRead) {
  const id = integration.id;
  const path = `/v1/integrations/${encodeURIComponent(id)}`;
  const [state, setState] = useState(() => keptOf(id) ?? startOf(integration, etag));
  const [busy, setBusy] = useState("");
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  const [theirs, setTheirs] = useState(
    /** @type {{ data: Integration, etag: string | null } | null} */ (null),
  );
  const [report, setReport] = useState(/** @type {Report | null} */ (null));
  const { base, typed } = state;
  const texts = useMemo(
    () => Object.fromEntries(DOCUMENTS.map(([name]) => [name, readJson(typed[name] ?? "")])),
    [typed],
  );
  const json = /** @type {Record<Document, JsonText>} */ (texts);
  /** @type {FieldError[]} */
  const mistakes = DOCUMENTS.flatMap(([name, label]) => {
    const { value, mistake } = json[name];
    if (mistake)
      return [{ pointer: `/${name}`, message: `${label}, line ${mistake.line}: ${mistake.message}` }];
    return unstorable(base[name], value, `/${name}`).map((pointer) => ({
      pointer,
      message: "null can't be stored by an edit: there it removes the member",
    }));
  });
  const values = Object.fromEntries(
    Object.entries(typed).map(([name, text]) => {
      if (name in json) return [name, json[/** @type {Document} */ (name)].value];
      return [name, text === "" && NULLABLE.includes(name) ? null : text];
    }),
  );
  const dirty =
    DOCUMENTS.some(([name]) => json[name].mistake) || Object.keys(patchOf(base, values)).length > 0;

  useEffect(() => {
    keep(id, dirty ? state : null);
    if (!dirty) return undefined;
    const warn = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [id, state, dirty]);

  const seen = useRef(etag);
  useEffect(() => {
    if (seen.current === etag) return;
    seen.current = etag;
    // It was read anew: what nobody has edited here follows.
    if (!dirty && state.etag !== etag) setState(startOf(integration, etag));
  }, [integration, etag, dirty, state.etag]);

  /** @param {Integration} data @param {string | null} fresh */
  const adopt = (data, fresh) => {
    setState(startOf(data, fresh));
    setTheirs(null);
    onRead(data, fresh);
  };

  /**
   * @param {string} what
   * @param {() => Promise<T>} act
   * @template T
   * @returns {Promise<T | undefined>}
   */
  const run = async (what, act) => {
    setBusy(what);
    setFailure(null);
    try {
      return await act();
    } catch (error) {
      setFailure(/** @type {Error} */ (error));
      return undefined;
    } finally {
      setBusy("");
    }
  };
  /** @param {string | null} ifMatch */
  const patch = async (ifMatch) => {
    const body = patchOf(base, values);
    if (!Object.keys(body).length) return;
    let saved;
    try {
      saved = await request(path, { method: "PATCH", body, ifMatch });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 412) throw error;
      const read = await request(path);
      // A release, or what is said about one, changes nothing that is edited here.
      if (changesBetween(base, editableOf(read.data)).length) {
        setTheirs(read);
        throw error;
      }
      saved = await request(path, { method: "PATCH", body, ifMatch: read.etag });
    }
    setReport(null);
    setTheirs(null);
    // What was typed while this was saved stays, and so does text that says the same as what is stored.
    setState((now) => {
      const next = startOf(saved.data, saved.etag);
      for (const [name, text] of Object.entries(now.typed)) {
        const same = name in json && !changesBetween(next.base[name], readJson(text).value).length;
        if (same || text !== typed[name]) next.typed[name] = text;
      }
      return next;
    });
    onRead(saved.data, saved.etag);
  };
  const save = (ifMatch = state.etag) => run("save", () => patch(ifMatch).then(() => true));

  return {
    typed,
    json,
    mistakes,
    dirty,
    busy,
    failure,
    report,
    theirs,
    values,
    save,
    /** @param {string} name @param {string} text */
    type: (name, text) => setState({ ...state, typed: { ...typed, [name]: text } }),
    discard: () => {
      setState({ ...state, typed: typedOf(base) });
      setFailure(null);
      setTheirs(null);
    },
    /** Saves, then has the API say what prevents publishing as `version`. @param {string} version */
    check: (version) =>
      run("check", async () => {
        await patch(state.etag);
        const { data } = await request(`${path}/publish?dry_run=true`, { body: { version } });
        setReport(data);
        return /** @type {Report} */ (data);
      }),
    takeTheirs: () => {
      if (theirs) adopt(theirs.data, theirs.etag);
      setFailure(null);
    },
    /** What somebody else changed since this was read, and whether it was changed here, too. */
    conflicts: () => {
      const own = changesBetween(base, values).map((change) => change.pointer);
      return changesBetween(base, theirs ? editableOf(theirs.data) : base).map((change) => ({
        ...change,
        both: own.some(
          (mine) =>
            `${mine}/`.startsWith(`${change.pointer}/`) || `${change.pointer}/`.startsWith(`${mine}/`),
        ),
      }));
    },
  };
}
