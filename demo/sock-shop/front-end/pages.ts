/** The shop's page. One stylesheet and one small script, no framework: it must be fast on a projector and readable on a phone. */
export interface PageFacts {
  readonly version: "v1" | "v2";
  readonly pod: string;
  readonly trace: string;
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export function renderHome(facts: PageFacts): string {
  const colour = facts.version === "v2" ? "red" : "blue";
  return `<!doctype html>
<html lang="en" data-colour="${colour}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sock Shop</title>
<link rel="stylesheet" href="/shop.css">
<link rel="icon" href="/catalogue/images/colourful_1.svg">
</head>
<body>
<header>
  <a class="brand" href="/">Sock Shop</a>
  <span class="badge">${facts.version} · ${colour}</span>
</header>
<main>
  <section class="hero">
    <h1>Socks for every service</h1>
    <p>Ten patterns, knitted to order, delivered over the mesh.</p>
  </section>
  <nav id="tags" aria-label="Filter by tag"></nav>
  <section id="socks" aria-live="polite"><p class="state">Fetching the socks…</p></section>
</main>
<footer>Served by <code>${escapeHtml(facts.pod)}</code>, version <strong>${facts.version}</strong>, trace <code>${escapeHtml(facts.trace)}</code></footer>
<script src="/shop.js" defer></script>
</body>
</html>
`;
}

export const STYLE = `:root{--accent:#1f4fbf;--deep:#12306f;--tint:#eaf0fd}
[data-colour=red]{--accent:#b4232f;--deep:#6f1219;--tint:#fdeceb}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1b1d22;background:#fff}
header{display:flex;align-items:center;justify-content:space-between;padding:.8rem clamp(1rem,4vw,3rem);background:var(--accent);color:#fff}
.brand{color:inherit;text-decoration:none;font-weight:700;font-size:1.3rem}
.badge{border:1px solid #fff;border-radius:1rem;padding:.1rem .8rem;font-size:.9rem}
.hero{padding:clamp(1.5rem,5vw,4rem) clamp(1rem,4vw,3rem);background:var(--tint);color:var(--deep)}
.hero h1{margin:0;font-size:clamp(1.6rem,5vw,3rem);line-height:1.15}
nav,#socks{padding:1rem clamp(1rem,4vw,3rem)}
nav{display:flex;flex-wrap:wrap;gap:.5rem}
nav button{border:1px solid var(--accent);background:#fff;color:var(--accent);border-radius:1rem;padding:.25rem .9rem;font:inherit;cursor:pointer}
nav button[aria-pressed=true]{background:var(--accent);color:#fff}
button:focus-visible,a:focus-visible{outline:3px solid #f2a900;outline-offset:2px}
#socks{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1.2rem}
article{border:1px solid #d9dce3;border-radius:.6rem;overflow:hidden;display:flex;flex-direction:column}
article img{width:100%;aspect-ratio:460/420;background:#f6f7f9;padding:1rem}
article div{padding:1rem;display:flex;flex-direction:column;gap:.4rem;flex:1}
article h2{margin:0;font-size:1.1rem}
article p{margin:0;color:#474b54;font-size:.95rem;flex:1}
.price{font-weight:700;color:var(--deep)}
.state{grid-column:1/-1;padding:2rem;text-align:center;background:var(--tint);border-radius:.6rem}
footer{padding:1.5rem clamp(1rem,4vw,3rem);border-top:4px solid var(--accent);font-size:.9rem;color:#474b54;overflow-wrap:anywhere}
`;

export const SCRIPT = `const socks = document.getElementById("socks"), nav = document.getElementById("tags");
let tag = "";
const el = (name, props, ...children) => { const e = Object.assign(document.createElement(name), props); e.append(...children); return e; };
const say = (text) => socks.replaceChildren(el("p", { className: "state", textContent: text }));
async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error("the catalogue answered " + response.status);
  return response.json();
}
async function showSocks() {
  try {
    const list = await load("/catalogue?size=12" + (tag ? "&tags=" + encodeURIComponent(tag) : ""));
    if (list.length === 0) return say("No socks with this tag. Try another one.");
    socks.replaceChildren(...list.map((sock) => el("article", {},
      el("img", { src: sock.imageUrl[0], alt: sock.name, loading: "lazy", width: 460, height: 420 }),
      el("div", {}, el("h2", { textContent: sock.name }), el("p", { textContent: sock.description }),
        el("span", { className: "price", textContent: "$" + sock.price.toFixed(2) })))));
  } catch (error) {
    say("The socks are out of reach at the moment: " + error.message + ". The rest of the shop is open; try again in a moment.");
  }
}
async function showTags() {
  try {
    const { tags } = await load("/tags");
    nav.replaceChildren(...["", ...tags].map((name) => el("button", { textContent: name || "all", ariaPressed: String(name === tag),
      onclick: () => { tag = name; showTags(); showSocks(); } })));
  } catch { nav.replaceChildren(); }
}
showTags();
showSocks();
`;
