/**
 * The files of web/ that browsers get. Their address carries a hash of all of them (`?v=`), so they are kept for a year and yet never stale;
 * any other version in the address gets the same file, kept for a minute only: during a canary the other version's page may ask for it.
 */
import { createHash } from "node:crypto";
import type { Request, Response, Route } from "@sock-shop/kit";
import account from "./web/account.js" with { type: "text" };
import argyle from "./web/argyle.svg" with { type: "text" };
import basket from "./web/basket.js" with { type: "text" };
import category from "./web/category.js" with { type: "text" };
import checkout from "./web/checkout.js" with { type: "text" };
import detail from "./web/detail.js" with { type: "text" };
import forms from "./web/forms.js" with { type: "text" };
import home from "./web/home.js" with { type: "text" };
import iconBlue from "./web/icon-blue.svg" with { type: "text" };
import iconRed from "./web/icon-red.svg" with { type: "text" };
import login from "./web/login.js" with { type: "text" };
import orders from "./web/orders.js" with { type: "text" };
import css from "./web/shop.css" with { type: "text" };
import shop from "./web/shop.js" with { type: "text" };
import socks from "./web/socks.js" with { type: "text" };

const FILES: Readonly<Record<string, string>> = {
  "account.js": account,
  "argyle.svg": argyle,
  "basket.js": basket,
  "category.js": category,
  "checkout.js": checkout,
  "detail.js": detail,
  "forms.js": forms,
  "home.js": home,
  "icon-blue.svg": iconBlue,
  "icon-red.svg": iconRed,
  "login.js": login,
  "orders.js": orders,
  "shop.css": css,
  "shop.js": shop,
  "socks.js": socks,
};

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const VERSION = createHash("sha256").update(JSON.stringify(FILES)).digest("hex").slice(0, 12);

/** `/assets/<name>?v=<hash>` */
export function assetUrl(name: string): string {
  return `/assets/${name}?v=${VERSION}`;
}

/** The modules that a module imports, and theirs: named in the page, so that the browser fetches them at once instead of one after the other. */
export function modulesOf(name: string): readonly string[] {
  const found = new Set<string>();
  const visit = (file: string) => {
    for (const [, imported = ""] of (FILES[file] ?? "").matchAll(/from "\.\/([\w-]+\.js)"/g)) {
      if (!found.has(imported)) {
        found.add(imported);
        visit(imported);
      }
    }
  };
  visit(name);
  return [...found];
}

const BODIES = new Map(
  Object.entries(FILES).map(([name, text]) => [
    name,
    // Imports and url() get the version too: one address a file.
    text.replaceAll(/(from "\.\/|url\("?)([\w-]+\.(?:js|svg))/g, `$1$2?v=${VERSION}`),
  ]),
);

export const assetRoute: Route = {
  method: "GET",
  path: "/assets/:name",
  handle(request: Request): Response {
    const name = request.params.name ?? "";
    const body = BODIES.get(name);
    if (body === undefined) return { status: 404, json: { error: "not found", status: 404 } };
    const isCurrent = request.query.get("v") === VERSION;
    return {
      headers: {
        "content-type": TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream",
        "cache-control": isCurrent ? "public, max-age=31536000, immutable" : "public, max-age=60",
      },
      body,
    };
  },
};
