import type { VNode } from "preact";

export type { ComponentChildren, Context, RefObject, VNode } from "preact";
export { createContext, createRef, Fragment, h, render, toChildArray } from "preact";
export * from "preact/hooks";

/** A tree of elements, written as HTML: `html\`<p class="x">${text}</p>\``. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
