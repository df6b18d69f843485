/**
 * The API, as a browser calls it: same origin, JSON both ways, errors as `ApiError`; and what a page
 * reads and does, as hooks: reading, reading on while it is seen, lists by pages, actions.
 *
 * A dashboard is known by its session cookie, the wizard by the token of its install session.
 */

import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { ApiError, request } from "./basics.js";

export { ApiError, queryText, request, UNAUTHENTICATED } from "./basics.js";

/** @typedef {import("./basics.js").Options} Options */
/** @typedef {import("./basics.js").FieldError} FieldError */

/** What the window is told when somebody tries again: whatever has failed is read anew. */
export const AGAIN = "patchbay-again";

/** A fresh Idempotency-Key: keep it for the repetitions of one create. */
export const newKey = () => crypto.randomUUID();

/**
 * A path, each value as one segment: `` at`/spaces/${slug}/alerts` ``. Values may come from the address of
 * the page, and a browser takes `..` for a step up, so dots alone are written as what no id is.
 *
 * @param {TemplateStringsArray} strings
 * @param {...string} values
 */
export const at = (strings, ...values) =>
  String.raw(
    { raw: strings },
    ...values.map((value) => (/^\.\.?$/.test(value) ? "%20" : encodeURIComponent(value))),
  );

/** So many empty pages of a list are passed over at once. */
const MOST_EMPTY = 5;

/** Nothing reads by itself more often than this, however it was asked. */
const LEAST_SECONDS = 15;

/**
 * @template T
 * @typedef {{ data: T | null, etag: string | null, error: Error | null, loading: boolean,
 *   reload: () => void, replace: (data: T, etag?: string | null) => void }} Resource
 *   `error` stands beside the `data` read before. `replace` shows what a change answered.
 */

/**
 * Reads a path, again when it changes, and with `every` again and again while the page is seen.
 *
 * @template T
 * @param {string | null} path null reads nothing
 * @param {{ every?: number, token?: string }} [options] `every` in seconds, at least 15
 * @returns {Resource<T>}
 */
export function useResource(path, { every = 0, token } = {}) {
  const [state, setState] = useState(
    /** @type {{ path: string | null, data: T | null, etag: string | null, error: Error | null }} */ ({
      path: null,
      data: null,
      etag: null,
      error: null,
    }),
  );
  const [turn, setTurn] = useState(0);
  const [loading, setLoading] = useState(Boolean(path));
  const running = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => {
    if (!path) return undefined;
    const ended = new AbortController();
    running.current = ended;
    setLoading(true);
    request(path, { signal: ended.signal, ...(token ? { token } : {}) })
      .then(
        ({ data, etag }) => setState({ path, data, etag, error: null }),
        (error) =>
          !ended.signal.aborted &&
          setState((before) =>
            before.path === path ? { ...before, error } : { path, data: null, etag: null, error },
          ),
      )
      .finally(() => !ended.signal.aborted && setLoading(false));
    return () => ended.abort();
  }, [path, token, turn]);
  const reload = useCallback(() => setTurn((count) => count + 1), []);
  useAgain(state.path === path && state.error, reload);
  useEvery(path && every ? Math.max(every, LEAST_SECONDS) : 0, reload);
  const replace = useCallback(
    /** @param {T} data @param {string | null} [etag] */
    (data, etag = null) => {
      // What is being read may be from before the change.
      running.current?.abort();
      setLoading(false);
      setState({ path, data, etag, error: null });
    },
    [path],
  );
  // What was read from another path is not this one's.
  const current = state.path === path;
  return {
    data: current ? state.data : null,
    etag: current ? state.etag : null,
    error: current ? state.error : null,
    loading: loading || !current,
    reload,
    replace,
  };
}

/**
 * @param {unknown} error
 * @param {() => void} reload
 */
function useAgain(error, reload) {
  useEffect(() => {
    if (!error) return undefined;
    addEventListener(AGAIN, reload);
    return () => removeEventListener(AGAIN, reload);
  }, [error, reload]);
}

/**
 * Calls `act` every so many seconds while the page is seen, and when it is seen again after longer.
 *
 * @param {number} seconds 0 never calls
 * @param {() => void} act
 */
function useEvery(seconds, act) {
  useEffect(() => {
    if (!seconds) return undefined;
    let last = Date.now();
    const look = () => {
      if (document.hidden || Date.now() - last < seconds * 1000) return;
      last = Date.now();
      act();
    };
    const timer = setInterval(look, 1000);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [seconds, act]);
}

/**
 * @template T
 * @typedef {{ items: T[], error: Error | null, outdated: boolean, loading: boolean,
 *   more: (() => void) | null, reload: () => void }} Listed
 *   `outdated`: it was the first page that could not be read again.
 */

/**
 * A list of the API, page by page: `more` reads on, and is null at the end. With `every`, its first page
 * is read again and again while the page is seen, until somebody reads on.
 *
 * @template T
 * @param {string | null} path with its query, without a cursor
 * @param {{ every?: number }} [options] `every` in seconds, at least 15
 * @returns {Listed<T>}
 */
export function useList(path, { every = 0 } = {}) {
  const [state, setState] = useState(
    /** @type {{ path: string | null, items: T[], cursor: string | null }} */ ({
      path: null,
      items: [],
      cursor: null,
    }),
  );
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [loading, setLoading] = useState(Boolean(path));
  const [turn, setTurn] = useState(0);
  const running = useRef(/** @type {AbortController | null} */ (null));
  /** Where the last reading began; null at the first page. */
  const from = useRef(/** @type {string | null} */ (null));
  const read = useCallback(
    /** @param {string | null} start */
    async (start) => {
      if (!path) return;
      running.current?.abort();
      const ended = new AbortController();
      running.current = ended;
      from.current = start;
      setLoading(true);
      setError(null);
      let cursor = start;
      /** @type {T[]} */
      let found = [];
      try {
        // A page may be empty and not the last: what is listed may lie far back.
        for (let empty = 0; empty < MOST_EMPTY && !found.length && (cursor || !empty); empty += 1) {
          const next = cursor && `${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
          const { data } = await request(path + (next ?? ""), { signal: ended.signal });
          found = data.items;
          cursor = data.next_cursor;
        }
        setState((before) => ({ path, items: start ? [...before.items, ...found] : found, cursor }));
      } catch (failure) {
        if (!ended.signal.aborted) setError(/** @type {Error} */ (failure));
      }
      if (!ended.signal.aborted) setLoading(false);
    },
    [path],
  );
  useEffect(() => {
    read(null);
    return () => running.current?.abort();
  }, [read, turn]);
  const current = state.path === path;
  const cursor = current ? state.cursor : null;
  const reload = useCallback(() => setTurn((count) => count + 1), []);
  useAgain(error && !state.items.length, reload);
  // Further pages that somebody has read are not taken away again.
  const refresh = useCallback(() => from.current === null && reload(), [reload]);
  useEvery(path && every ? Math.max(every, LEAST_SECONDS) : 0, refresh);
  return {
    items: current ? state.items : [],
    error,
    outdated: error !== null && from.current === null,
    loading: loading || (!current && !error),
    more: cursor ? () => read(cursor) : null,
    reload,
  };
}

/**
 * @typedef {{ run: (path: string, options?: Options) => Promise<any>, busy: boolean,
 *   error: ApiError | null, clear: () => void, errorAt: (pointer: string) => string | undefined,
 *   etag: () => string | null }} Action
 */

/**
 * Something that a person does: one request at a time, its failure kept to be shown.
 *
 * `run` resolves to the answer's body, or undefined if it failed; `errorAt` is what is wrong with the
 * field at a JSON Pointer; `etag` names the revision of the last answer, for the next change of the
 * same thing. A create that failed without an answer is repeated under its
 * Idempotency-Key, so that pressing again makes nothing twice.
 *
 * @returns {Action}
 */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const last = useRef({ of: "", key: "" });
  const revision = useRef(/** @type {string | null} */ (null));
  const run = useCallback(
    /** @param {string} path @param {Options} [options] */
    async (path, options = {}) => {
      const of = JSON.stringify([path, options.body]);
      if (last.current.of !== of) last.current = { of, key: newKey() };
      const creates = (options.method ?? "POST") === "POST" && options.key !== "";
      setBusy(true);
      setError(null);
      try {
        const { data, etag } = await request(path, {
          method: "POST",
          ...options,
          ...(creates ? { key: options.key ?? last.current.key } : {}),
        });
        last.current = { of: "", key: "" };
        revision.current = etag;
        return data ?? true;
      } catch (failure) {
        const said = failure instanceof ApiError ? failure : new ApiError(String(failure));
        // An answer that refuses is final: what is sent after it is another attempt.
        if (said.status && said.status < 500) last.current = { of: "", key: "" };
        setError(said);
        return undefined;
      } finally {
        setBusy(false);
      }
    },
    [],
  );
  return {
    run,
    busy,
    error,
    clear: useCallback(() => setError(null), []),
    errorAt: (pointer) => error?.errors.find((one) => one.pointer === pointer)?.message,
    etag: () => revision.current,
  };
}
