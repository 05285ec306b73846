/**
 * The shop in a real browser: the five journeys of the original's end-to-end tests (home, login, catalogue, cart, checkout) and what the talk shows.
 * The shop runs in this process, without a mesh. Screenshots of every page at two widths are left in dist/screenshots.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Shop, startShop } from "../../demo/sock-shop/front-end/test/shop.ts";
import { createStatistics } from "../../images/loadtest/statistics.ts";
import { startSwarm } from "../../images/loadtest/swarm.ts";
import { createWebServer } from "../../images/loadtest/web-server.ts";
import { launchBrowser, withoutBrowser } from "../browser.ts";
import { auditPage } from "../browser-audit.ts";

declare const __ARGYLE_ROOT__: string;

const SCREENSHOTS = join(__ARGYLE_ROOT__, "dist/screenshots");
const WIDTHS = [
  { name: "desktop", viewport: { width: 1280, height: 800 } },
  { name: "phone", viewport: { width: 390, height: 844 } },
] as const;
const HOLY = "03fef6ac-1896-4ce8-bd69-b798f85c6e0b";

describe("the shop in a browser", { skip: withoutBrowser }, () => {
  let shop: Shop;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  const shown = new Set<string>();
  before(async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    [shop, browser] = await Promise.all([startShop(__ARGYLE_ROOT__), launchBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: WIDTHS[0].viewport });
    context.setDefaultTimeout(5000);
    page = await context.newPage();
    complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      // A failed request is said by Chromium itself; the tests that cause one look at the page.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });

  /** By evaluation from outside: the shop's pages forbid eval. */
  const becomes = (expression: string) =>
    eventually(expression, async () => assert.equal(await page.evaluate(expression), true));
  const settled = () => becomes('document.querySelector("[aria-busy=true], .waiting") === null');
  const open = async (path: string, url = shop.v1) => {
    await page.goto(`${url}${path}`);
    await settled();
  };
  /** A picture and an audit of what is on the screen, at both widths. */
  const look = async (name: string) => {
    for (const width of WIDTHS) {
      await page.setViewportSize(width.viewport);
      await settled();
      await becomes("[...document.images].every((image) => image.complete)");
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${width.name}.png`), fullPage: true });
      assert.deepEqual(await auditPage(page), [], `${name} at ${width.name} width`);
    }
    await page.setViewportSize(WIDTHS[0].viewport);
    shown.add(name);
  };
  const logIn = async (username: string, password: string) => {
    await page.getByLabel("Username").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.locator("#greeting").waitFor();
    await settled();
  };
  const addToBasket = async (id: string, pairs = 1) => {
    await open(`/detail.html?id=${id}`);
    await page.getByLabel("Pairs").fill(String(pairs));
    await page.getByRole("button", { name: /^Add .* to the basket$/ }).click();
    await page.getByText("In your basket").waitFor();
  };
  let names = 0;
  const register = async () => {
    await open("/register.html");
    await page.getByLabel("First name").fill("Ada");
    await page.getByLabel("Last name").fill("Lovelace");
    await page.getByLabel("E-mail").fill("ada@example.com");
    await page.getByLabel("Username").fill(`ada${names++}`);
    await page.getByLabel("Password").fill("difference");
    await page.getByRole("button", { name: "Register" }).click();
    await page.getByText("Hello, Ada").waitFor();
  };
  const saveAddressAndCard = async () => {
    const address = page.locator("[data-form=address]");
    for (const [label, text] of [
      ["Street", "Loom Lane"],
      ["Number", "7"],
      ["Postcode", "G1 1AA"],
      ["City", "Glasgow"],
      ["Country", "United Kingdom"],
    ] as const)
      await address.getByLabel(label).fill(text);
    await address.getByRole("button", { name: "Save address" }).click();
    await page.getByLabel("Loom Lane 7, G1 1AA Glasgow, United Kingdom").waitFor();
    const card = page.locator("[data-form=card]");
    for (const [label, text] of [
      ["Card number", "5544 1540 1134 5918"],
      ["Valid until (MM/YY)", "08/29"],
      ["Security code", "958"],
    ] as const)
      await card.getByLabel(label).fill(text);
    await card.getByRole("button", { name: "Save card" }).click();
    await page.getByLabel("Card ending in 5918").waitFor();
  };

  test("home: greets visitors, offers the login, shows socks, and the basket is empty", async () => {
    await open("/");
    assert.equal(await page.title(), "Sock Shop");
    await page.getByRole("heading", { name: "Socks for every service" }).waitFor();
    assert.equal(await page.getByRole("link", { name: "Log in" }).count(), 1);
    assert.equal(await page.locator("#greeting").count(), 0);
    assert.equal(await page.locator(".sock").count(), 6);
    assert.equal(await page.locator("#basket-count").textContent(), "");
    await look("home-v1");
  });

  test("home: is under 100 kB, with every picture, and painted within a second", async () => {
    const bodies: Promise<number>[] = [];
    page.on("response", (response) => void bodies.push(response.body().then((body) => body.length)));
    await open("/");
    await becomes("[...document.images].every((image) => image.complete)");
    // The browser may tell of its first paint later than the last picture is there.
    await becomes('performance.getEntriesByName("first-contentful-paint").length === 1');
    const sizes = await Promise.all(bodies);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const painted = await page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0].startTime');
    assert.ok(sizes.length >= 13 && bytes < 100_000, `${bytes} bytes in ${sizes.length} answers`);
    assert.ok(painted < 1000, `first contentful paint after ${painted} ms`);
    console.log(`home page: ${bytes} bytes, first contentful paint ${Math.round(painted)} ms`);
  });

  test("login: a wrong password is said, the right one leads back to where one was", async () => {
    await open("/basket.html");
    await look("basket-empty");
    await page.goto(`${shop.v1}/login.html?next=basket.html`);
    await look("login");
    await page.getByLabel("Username").fill("Eve_Berger");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("do not belong together").waitFor();
    await logIn("Eve_Berger", "eve");
    assert.equal(new URL(page.url()).pathname, "/basket.html");
    await page.getByText("Hello, Eve").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("link", { name: "Log in" }).waitFor();
  });

  test("login: does not send anybody to another site", async () => {
    await page.goto(`${shop.v1}/login.html?next=${encodeURIComponent("//evil.example/x.html")}`);
    await logIn("Eve_Berger", "eve");
    assert.equal(page.url(), `${shop.v1}/`);
  });

  test("catalogue: pages of six, by tag, by price, and the address keeps it all", async () => {
    await open("/category.html");
    assert.equal(await page.locator(".sock").count(), 6);
    await look("catalogue");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("page 2 of 2").waitFor();
    assert.equal(await page.locator(".sock").count(), 4);
    await page.getByLabel("Order by").selectOption("price");
    await page.getByText("page 1 of 2").waitFor();
    await settled();
    const prices = (await page.locator(".price").allTextContents()).map((text) => Number(text.slice(1)));
    assert.deepEqual(
      prices,
      [...prices].sort((a, b) => a - b),
    );
    await page.getByRole("button", { name: "green" }).click();
    await page.getByText("3 socks, page 1 of 1").waitFor();
    assert.match(page.url(), /tags=green&sort=price/);
    await page.goBack();
    await page.getByText("page 1 of 2").waitFor();
    await open("/category.html?tags=nothing");
    await page.getByText("No socks here").waitFor();
  });

  test("product: pictures from both sides, how many, and a friendly word for one that is not there", async () => {
    await open(`/detail.html?id=${HOLY}`);
    assert.equal(await page.title(), "Holy · Sock Shop");
    await page.getByRole("button", { name: "From the right" }).click();
    assert.match(String(await page.locator(".picture img").getAttribute("src")), /_2\.svg$/);
    await page.getByRole("button", { name: "From the left" }).click();
    await look("detail");
    await open("/detail.html?id=none");
    await page.getByText("It is not there. Perhaps it never was.").waitFor();
  });

  test("cart: what is added is counted, can be changed and removed, and survives the login", async () => {
    await open("/");
    await page.getByRole("button", { name: "Add Holy to the basket" }).click();
    await page.getByLabel("1 item in your basket").waitFor();
    await addToBasket("510a0d7e-8e83-4193-b483-e27e09ddc34d", 2);
    await page.getByLabel("3 items in your basket").waitFor();
    await open("/basket.html");
    await look("basket");
    await page.getByLabel("Pairs of SuperSport XL").fill("3");
    await page.getByLabel("Pairs of SuperSport XL").press("Tab");
    await page.getByText("Your basket is changed.").waitFor();
    await page.getByText("$149.98").waitFor();
    await page.getByRole("button", { name: "Remove SuperSport XL" }).click();
    await page.getByText("$104.98").waitFor();
    await page.getByRole("link", { name: "Log in to check out" }).click();
    await logIn("user1", "password");
    await page.getByRole("link", { name: "Holy" }).waitFor();
    await page.getByRole("button", { name: "Remove Holy" }).click();
    await page.getByText("Your basket is empty").waitFor();
  });

  test("checkout: a new customer registers, orders with address and card, and finds the order again", async () => {
    await register();
    await addToBasket("510a0d7e-8e83-4193-b483-e27e09ddc34d");
    await open("/basket.html");
    await page.getByRole("link", { name: "Proceed to checkout" }).click();
    await settled();
    const place = page.getByRole("button", { name: "Place order" });
    assert.ok(await place.isDisabled(), "there is no address and no card yet");
    await look("checkout-new");
    await saveAddressAndCard();
    await look("checkout");
    await place.click();
    await page.getByText("Thank you! Your order is placed.").waitFor();
    await settled();
    await page.getByText("Card ending in 5918").waitFor();
    await page.getByText("$19.99").waitFor();
    await look("order");
    await page.getByRole("link", { name: "All my orders" }).click();
    await settled();
    assert.equal(await page.locator("tbody tr").count(), 1);
    await look("orders");
    await open("/customer-account.html");
    await look("account");
    await page.getByRole("button", { name: /^Remove Card/ }).click();
    await page.getByText("None yet.").waitFor();
  });

  test("register: a name that is taken is said", async () => {
    await open("/register.html");
    await look("register");
    await page.getByLabel("Username").fill("user");
    await page.getByLabel("Password").fill("x");
    await page.getByRole("button", { name: "Register" }).click();
    await page.getByRole("alert").getByText("This username is taken.").waitFor();
  });

  test("declined payment: payment's words, nothing charged, the basket untouched", async () => {
    await register();
    await addToBasket(HOLY, 2);
    await open("/checkout.html");
    await saveAddressAndCard();
    await page.getByRole("button", { name: "Place order" }).click();
    await page.getByRole("alert").getByText("Payment declined: amount exceeds 105.00. Nothing was charged").waitFor();
    await look("declined");
    await open("/customer-orders.html");
    await page.getByText("No orders yet").waitFor();
    assert.equal(await page.getByLabel("2 items in your basket").count(), 1);
  });

  test("catalogue down: its part says so with the mesh's words, the rest stays, and trying again heals it", async () => {
    shop.setFault("catalogue", { status: 500, body: "fault filter abort" });
    try {
      await open("/");
      await page.getByRole("heading", { name: "The socks are out of reach" }).waitFor();
      await page.getByText("What was said: fault filter abort (500)").first().waitFor();
      await page.getByRole("link", { name: "Basket" }).waitFor();
      await look("catalogue-aborted");
    } finally {
      shop.setFault("catalogue", undefined);
    }
    await page.locator("#socks").getByRole("button", { name: "Try again" }).click();
    await page.locator(".sock").first().waitFor();
  });

  test("catalogue down: a basket still shows its lines and sums, an order its items", async () => {
    await addToBasket(HOLY);
    shop.setFault("catalogue", "cut");
    try {
      await open("/basket.html");
      await page.getByText("its name is out of reach").waitFor();
      await page.getByText("$104.98").waitFor();
      await look("basket-without-catalogue");
    } finally {
      shop.setFault("catalogue", undefined);
    }
  });

  for (const [door, path, what] of [
    ["carts", "/basket.html", "The contents of your basket"],
    ["orders", "/customer-orders.html", "Your orders"],
    ["user", "/customer-account.html", "Your addresses"],
  ] as const) {
    test(`${door} down: ${what.toLowerCase()} are out of reach, the page is not`, async () => {
      await open("/login.html");
      await logIn("Eve_Berger", "eve");
      shop.setFault(door, { status: 503, body: "no healthy upstream" });
      try {
        await open(path);
        await page.getByRole("heading", { name: `${what} are out of reach` }).waitFor();
        await look(`${door}-down`);
      } finally {
        shop.setFault(door, undefined);
      }
    });
  }

  test("v1 is blue and v2 is red, and both say so", async () => {
    const seen = new Map<string, readonly [red: number, blue: number]>();
    for (const [version, url, colour] of [
      ["v1", shop.v1, "blue"],
      ["v2", shop.v2, "red"],
    ] as const) {
      await open("/", url);
      assert.equal((await page.locator("#version").textContent())?.trim(), `${version} ${colour}`);
      assert.equal(await page.locator("#served-version").textContent(), version);
      assert.equal(await page.locator("#served-by").textContent(), `front-end-${version}-test`);
      const rgb = await page.evaluate<string>('getComputedStyle(document.querySelector(".top")).backgroundColor');
      const [red = 0, , blue = 0] = (rgb.match(/\d+/g) ?? []).map(Number);
      seen.set(version, [red, blue]);
    }
    await look("home-v2");
    const [v1, v2] = [seen.get("v1") ?? [0, 0], seen.get("v2") ?? [0, 0]];
    assert.ok(v1[1] > 2 * v1[0] && v2[0] > 2 * v2[1], JSON.stringify([...seen]));
  });

  test("everything can be reached and done with the keyboard", async () => {
    await open("/");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
    await open(`/detail.html?id=${HOLY}`);
    await page.getByRole("button", { name: /^Add/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("1 item in your basket").waitFor();
    await becomes('document.activeElement.tagName === "BUTTON"');
    const outline = await page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle");
    assert.equal(outline, "solid", "where the focus is, is seen");
  });

  test("an unknown page is a page too", async () => {
    assert.equal((await page.goto(`${shop.v1}/blog.html`))?.status(), 404);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await look("not-found");
  });

  test("the load test's live page shows what its customers do", async () => {
    const statistics = createStatistics(() => performance.now());
    const swarm = startSwarm(
      {
        host: shop.v1,
        users: 2,
        spawnRate: 10,
        thinkMs: [10, 30],
        runTimeMs: undefined,
        maxRequests: undefined,
        timeoutMs: 15_000,
        account: undefined,
      },
      statistics,
    );
    const ticker = setInterval(() => statistics.tick(swarm.users()), 100);
    const web = createWebServer(shop.v1, statistics, swarm);
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    try {
      await page.goto(`http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
      await page.getByRole("cell", { name: "POST /orders" }).waitFor();
      await page.getByLabel("Customers").fill("4");
      await page.getByRole("button", { name: "Apply" }).click();
      await page.getByText("Applied").waitFor();
      await eventually("four customers", () => assert.equal(swarm.users(), 4));
      await look("loadtest");
    } finally {
      clearInterval(ticker);
      await swarm.stop();
      web.closeAllConnections();
      web.close();
    }
    assert.deepEqual(statistics.report().failures, []);
  });

  test("sessions down: the shop is open, accounts say that they are out of reach", async () => {
    await open("/login.html");
    await logIn("Eve_Berger", "eve");
    await shop.stopRedis();
    await open("/");
    await page.getByText("Accounts are out of reach").waitFor();
    assert.equal(await page.locator(".sock").count(), 6);
    await page.getByLabel("the basket is out of reach").waitFor();
    await look("sessions-down");
    assert.ok(shown.size >= 15);
  });
});
