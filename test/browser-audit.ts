/**
 * What can be measured of a page's accessibility without a tool of its own (WCAG 2.2 AA): contrast of every text (1.4.3), a name for everything that can be
 * operated (4.1.2), a label for every field (3.3.2), one h1, no horizontal scrolling (1.4.10).
 */
import type { Page } from "playwright-core";

/** Every problem as a line; empty is good. */
export function auditPage(page: Page): Promise<readonly string[]> {
  return page.evaluate(AUDIT);
}

/** Runs in the page; a text, because the test's types have no DOM. */
const AUDIT = `(() => {
  const problems = [];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const nameOf = (element) => {
    const labelled = element.getAttribute("aria-labelledby");
    const label = labelled ? document.getElementById(labelled)?.textContent : element.getAttribute("aria-label");
    const images = [...element.querySelectorAll("img")].map((image) => image.alt).join("");
    return (label ?? "") + (element.textContent ?? "") + images + (element.title ?? "");
  };
  for (const element of document.body.querySelectorAll("*")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
    if (!hasText || !isShown(element) || element.closest("noscript") || element.disabled) continue;
    const style = getComputedStyle(element);
    const [light, dark] = [luminance(parse(style.color)), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) problems.push("contrast " + ratio.toFixed(2) + " of " + element.textContent.trim().slice(0, 40));
  }
  for (const element of document.querySelectorAll("a[href], button")) {
    if (isShown(element) && nameOf(element).trim() === "" && element.getAttribute("aria-hidden") !== "true") problems.push("no name: " + element.outerHTML.slice(0, 80));
  }
  for (const field of document.querySelectorAll("input, select")) {
    if (isShown(field) && field.labels.length === 0 && !field.getAttribute("aria-label")) problems.push("no label: " + field.outerHTML.slice(0, 80));
  }
  for (const image of document.images) if (!image.hasAttribute("alt")) problems.push("no alt: " + image.src);
  const headings = document.querySelectorAll("h1").length;
  if (headings !== 1) problems.push(headings + " h1 elements");
  if (document.documentElement.scrollWidth > innerWidth) problems.push("scrolls sideways: " + document.documentElement.scrollWidth + " > " + innerWidth);
  return problems;
})()`;
