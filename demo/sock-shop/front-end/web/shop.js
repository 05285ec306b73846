/**
 * What every page uses: calls to the shop's API, elements, and parts of a page that fail on their own. Server: answers are JSON, errors
 * `{error, status, service?}`; a proxy between may answer with a line of text.
 */
export class ApiError extends Error {
  constructor(status, message, service) {
    super(message);
    this.status = status;
    this.service = service;
  }
}

export async function api(path, { method = "GET", json, headers = {} } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: json === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
  } catch {
    throw new ApiError(0, "the shop does not answer", "front-end");
  }
  const text = await response.text();
  let value;
  try {
    value = text === "" ? undefined : JSON.parse(text);
  } catch {
    value = text;
  }
  if (response.ok) return value;
  const line = typeof value === "string" ? value.trim().slice(0, 200) : value?.error;
  throw new ApiError(response.status, line || `status ${response.status}`, value?.service ?? value?.status_text);
}

/** el("a", { href: "/" }, "text", otherElement): attributes, except functions, which are listeners. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export const money = (amount) => `$${amount.toFixed(2)}`;
export const byId = (id) => document.getElementById(id);
export const isLoggedIn = () => byId("log-out") !== null;

/** Fills one part of the page. While it waits and when it fails, only this part says so; `what` begins the sentence: "The socks". */
export async function fill(part, what, make) {
  part.setAttribute("aria-busy", "true");
  if (part.childElementCount === 0) part.replaceChildren(el("p", { class: "waiting" }, `${what} are on their way…`));
  try {
    const content = await make();
    part.replaceChildren(...(Array.isArray(content) ? content : [content]));
    part.dataset.state = "ready";
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    part.replaceChildren(trouble(what, error, () => fill(part, what, make)));
    part.dataset.state = "failed";
  } finally {
    part.removeAttribute("aria-busy");
  }
}

const REASONS = {
  0: "The connection to the shop was lost.",
  401: "You need to be logged in to see this.",
  403: "The shop is not allowed to show this to you.",
  404: "It is not there. Perhaps it never was.",
  429: "Too many people are asking at once. Give it a moment.",
  502: "Somebody behind the counter does not answer.",
  503: "Somebody behind the counter is not there at the moment.",
  504: "Somebody behind the counter took too long.",
};

export function trouble(what, error, retry) {
  const status = error.status ?? "";
  const reason = REASONS[status] ?? "Something behind the counter went wrong.";
  const again = retry && status !== 404 && status !== 401;
  return el(
    "div",
    { class: "state error", role: "alert" },
    el("h2", {}, `${what} are out of reach`),
    el("p", {}, `${reason} The rest of the shop is open.`),
    el("p", { class: "why" }, `What was said: ${error.message}${status ? ` (${status})` : ""}`),
    ...(status === 401 ? [el("a", { class: "button", href: loginUrl() }, "Log in")] : []),
    ...(again ? [el("button", { class: "button quiet", type: "button", click: retry }, "Try again")] : []),
  );
}

export const loginUrl = (page = "login.html") =>
  `/${page}?next=${encodeURIComponent(location.pathname.slice(1) + location.search)}`;

/** Says what happened to whoever pressed a button, also to screen readers. */
export function say(notice, text, isError = false) {
  notice.className = isError ? "notice error" : "notice";
  notice.setAttribute("role", isError ? "alert" : "status");
  notice.textContent = text;
}

export async function showCount() {
  const count = byId("basket-count");
  try {
    const items = await api("/cart");
    const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
    count.textContent = pieces === 0 ? "" : String(pieces);
    count.setAttribute("aria-label", pieces === 1 ? "1 item in your basket" : `${pieces} items in your basket`);
  } catch {
    count.textContent = "?";
    count.setAttribute("aria-label", "the basket is out of reach");
  }
}

byId("log-out")?.addEventListener("click", async () => {
  try {
    await api("/logout", { method: "POST" });
    location.assign("/");
  } catch (error) {
    byId("log-out").replaceWith(
      el("span", { class: "greeting warn", role: "alert" }, `Still logged in: ${error.message}`),
    );
  }
});
void showCount();
