/**
 * The texts of a page in the reader's language.
 *
 * A catalog is a module that exports `texts`: a text for each key, with `{name}` where a value goes.
 */

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
