/**
 * The pages: which addresses they have (those of the original among them), and the shell around each one's content. The shell is complete without
 * any backend but the sessions; every other part is filled in by the page's script, so that a backend that fails costs only its part.
 */
import { assetUrl, modulesOf } from "./assets.ts";
import account from "./web/pages/account.html" with { type: "text" };
import basket from "./web/pages/basket.html" with { type: "text" };
import category from "./web/pages/category.html" with { type: "text" };
import checkout from "./web/pages/checkout.html" with { type: "text" };
import detail from "./web/pages/detail.html" with { type: "text" };
import home from "./web/pages/home.html" with { type: "text" };
import login from "./web/pages/login.html" with { type: "text" };
import order from "./web/pages/order.html" with { type: "text" };
import orders from "./web/pages/orders.html" with { type: "text" };
import register from "./web/pages/register.html" with { type: "text" };

export interface Page {
  readonly title: string;
  readonly paths: readonly string[];
  readonly script?: string;
  /** HTML of <main>; ours, never a visitor's. */
  readonly content: string;
}

export interface PageFacts {
  readonly version: "v1" | "v2";
  readonly pod: string;
  readonly trace: string | undefined;
  /** First name of who is logged in; "unknown" when the sessions are out of reach. */
  readonly visitor: { readonly kind: "visitor" | "unknown" } | { readonly kind: "customer"; readonly name: string };
}

export const PAGES: readonly Page[] = [
  { title: "Sock Shop", paths: ["/", "/index.html"], script: "home.js", content: home },
  { title: "All socks", paths: ["/category.html"], script: "category.js", content: category },
  { title: "Sock", paths: ["/detail.html"], script: "detail.js", content: detail },
  { title: "Basket", paths: ["/basket.html"], script: "basket.js", content: basket },
  {
    title: "Checkout",
    paths: ["/checkout.html", "/checkout1.html", "/checkout2.html", "/checkout3.html", "/checkout4.html"],
    script: "checkout.js",
    content: checkout,
  },
  { title: "My orders", paths: ["/customer-orders.html"], script: "orders.js", content: orders },
  { title: "Order", paths: ["/customer-order.html"], script: "orders.js", content: order },
  { title: "Log in", paths: ["/login.html"], script: "login.js", content: login },
  { title: "Register", paths: ["/register.html"], script: "login.js", content: register },
  { title: "My account", paths: ["/customer-account.html"], script: "account.js", content: account },
];

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "referrer-policy": "same-origin",
};

export function renderPage(page: Page, facts: PageFacts): string {
  const colour = facts.version === "v2" ? "red" : "blue";
  const title = page.title === "Sock Shop" ? page.title : `${page.title} · Sock Shop`;
  const modules = page.script === undefined ? ["shop.js"] : [page.script, ...modulesOf(page.script)];
  return `<!doctype html>
<html lang="en" data-colour="${colour}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="theme-color" content="${colour === "red" ? "#a4161a" : "#123c9c"}">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="${assetUrl("shop.css")}">
<link rel="icon" href="${assetUrl(`icon-${colour}.svg`)}">
${modules
  .slice(1)
  .map((name) => `<link rel="modulepreload" href="${assetUrl(name)}">`)
  .join("\n")}
<script type="module" src="${assetUrl(modules[0] ?? "shop.js")}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
  <a class="brand" href="/"><img src="${assetUrl(`icon-${colour}.svg`)}" alt="" width="40" height="40">Sock Shop</a>
  <span class="badge" id="version" title="The version of the front-end that made this page">${facts.version}<span> ${colour}</span></span>
  <nav aria-label="Shop">
    <a href="/category.html">Socks</a>
    ${renderVisitor(facts)}
    <a class="basket-link" href="/basket.html">Basket <span class="count" id="basket-count" aria-live="polite"></span></a>
  </nav>
</header>
<main id="main">
<noscript><p class="state">This shop needs JavaScript for its shelves and baskets. The pages themselves are served without it.</p></noscript>
${page.content}
</main>
<footer>
  <p>Served by <code id="served-by">${escapeHtml(facts.pod)}</code>, version <strong id="served-version">${facts.version}</strong>, trace <code id="served-trace">${escapeHtml(facts.trace ?? "none")}</code></p>
  <p>A demonstration: no sock is ever sent and no card is ever charged.</p>
</footer>
</body>
</html>
`;
}

export function errorPage(status: number, message: string): Page {
  const heading = status === 404 ? "There is no such page" : "This did not work";
  return {
    title: heading,
    paths: [],
    content: `<section class="wrap"><div class="state" role="alert"><h1>${heading}</h1><p>${escapeHtml(message)} (${status})</p><p><a class="button" href="/">Back to the shop</a></p></div></section>`,
  };
}

function renderVisitor({ visitor }: PageFacts): string {
  switch (visitor.kind) {
    case "customer":
      return `<span class="greeting" id="greeting">Hello, ${escapeHtml(visitor.name)}</span>
    <a href="/customer-orders.html">Orders</a>
    <a href="/customer-account.html">Account</a>
    <button type="button" class="link" id="log-out">Log out</button>`;
    case "visitor":
      return `<a id="log-in" href="/login.html">Log in</a>
    <a href="/register.html">Register</a>`;
    case "unknown":
      return `<span class="greeting warn" id="no-sessions" title="The store of the sessions does not answer">Accounts are out of reach</span>`;
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
