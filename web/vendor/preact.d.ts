import type { VNode } from "preact";

export type { ComponentChildren, Context, RefObject, VNode } from "preact";
export { createContext, h, render } from "preact";
export {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useMemo,
  useRef,
  useState,
} from "preact/hooks";

/** A tree of elements, written as HTML: `html\`<p class="x">${text}</p>\``. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
