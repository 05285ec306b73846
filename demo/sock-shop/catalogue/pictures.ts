/**
 * The pictures of the socks, drawn when asked for: one outline, ten knitting patterns. Nothing is copied and nothing is stored.
 * A picture's name is `<pattern>_<1|2>.svg`; the second is the same sock seen from the other side.
 */
interface Pattern {
  readonly ground: string;
  readonly ink: string;
  readonly accent: string;
  /** SVG content of one pattern tile. */
  readonly tile: (ink: string, accent: string) => string;
  readonly tileSize: readonly [width: number, height: number];
}

const diamond = (x: number, y: number, w: number, h: number, fill: string) =>
  `<path d="M${x} ${y - h} L${x + w} ${y} L${x} ${y + h} L${x - w} ${y} Z" fill="${fill}"/>`;

const PATTERNS: Readonly<Record<string, Pattern>> = {
  weave: {
    ground: "#1f2430",
    ink: "#39d0c8",
    accent: "#f5f0e6",
    tileSize: [24, 24],
    tile: (ink, accent) =>
      `<path d="M0 6H24M0 18H24" stroke="${ink}" stroke-width="5"/><path d="M6 0V24M18 0V24" stroke="${accent}" stroke-width="2"/>`,
  },
  holy: {
    ground: "#efe6d0",
    ink: "#c9b27a",
    accent: "#8a6d2f",
    tileSize: [40, 40],
    tile: (ink, accent) =>
      `<circle cx="12" cy="12" r="7" fill="${ink}" stroke="${accent}"/><circle cx="31" cy="29" r="4.5" fill="${ink}" stroke="${accent}"/>`,
  },
  crossed: {
    ground: "#b3202c",
    ink: "#1d3f8a",
    accent: "#fbf7ec",
    tileSize: [36, 36],
    tile: (ink, accent) =>
      `<path d="M0 0L36 36M36 0L0 36" stroke="${ink}" stroke-width="7"/><path d="M0 18H36" stroke="${accent}" stroke-width="1.5" stroke-dasharray="3 3"/>`,
  },
  sport: {
    ground: "#fafafa",
    ink: "#15181e",
    accent: "#d8dbe2",
    tileSize: [60, 54],
    tile: (ink, accent) =>
      `<path d="M0 8H60M0 18H60" stroke="${ink}" stroke-width="5"/><path d="M10 24V54M25 24V54M40 24V54M55 24V54" stroke="${accent}" stroke-width="2"/>`,
  },
  colourful: {
    ground: "#2b3a67",
    ink: "#e85d75",
    accent: "#f2c14e",
    tileSize: [40, 56],
    tile: (ink, accent) =>
      `${diamond(20, 28, 19, 27, ink)}${diamond(0, 0, 12, 17, accent)}${diamond(40, 0, 12, 17, accent)}${diamond(0, 56, 12, 17, accent)}${diamond(40, 56, 12, 17, accent)}<path d="M0 0L40 56M40 0L0 56" stroke="#fff" stroke-width="1" stroke-dasharray="3 3"/>`,
  },
  video: {
    ground: "#e9edf5",
    ink: "#d1242f",
    accent: "#ffffff",
    tileSize: [48, 40],
    tile: (ink, accent) =>
      `<rect x="8" y="8" width="32" height="22" rx="6" fill="${ink}"/><path d="M20 13l10 6-10 6z" fill="${accent}"/>`,
  },
  figueroa: {
    ground: "#2f6b4f",
    ink: "#9fd3b2",
    accent: "#e6f2ea",
    tileSize: [30, 30],
    tile: (ink, accent) =>
      `<path d="M0 10H30" stroke="${ink}" stroke-width="2"/><path d="M0 22H30" stroke="${accent}" stroke-width="1"/>`,
  },
  cat: {
    ground: "#7a4f2c",
    ink: "#f0d9b5",
    accent: "#2e1d10",
    tileSize: [50, 46],
    tile: (ink, accent) =>
      `<path d="M14 30V14l7 6h8l7-6v16a11 9 0 0 1-22 0z" fill="${ink}"/><circle cx="21" cy="27" r="1.8" fill="${accent}"/><circle cx="29" cy="27" r="1.8" fill="${accent}"/><path d="M23 32l2 2 2-2" stroke="${accent}" fill="none"/>`,
  },
  classic: {
    ground: "#6b5b4b",
    ink: "#837160",
    accent: "#55483b",
    tileSize: [12, 16],
    tile: (ink, accent) =>
      `<path d="M0 4l6 6 6-6" stroke="${ink}" fill="none" stroke-width="2"/><path d="M0 12l6 6 6-6" stroke="${accent}" fill="none" stroke-width="1"/>`,
  },
  nerd: {
    ground: "#0f2747",
    ink: "#6fb7ff",
    accent: "#ffd166",
    tileSize: [44, 44],
    tile: (ink, accent) =>
      `<g font-family="monospace" font-size="14" fill="${ink}"><text x="2" y="14">0 1</text><text x="18" y="32">1 0</text></g><text x="4" y="34" font-family="monospace" font-size="14" fill="${accent}">2</text>`,
  },
};

const OUTLINE =
  "M132 22 H232 V212 Q232 252 264 274 L316 310 Q348 334 334 366 Q320 394 280 388 L206 374 Q132 360 132 280 Z";

/** The picture as an SVG document, or undefined when there is no such picture. */
export function drawPicture(file: string): string | undefined {
  const match = /^([a-z]+)_([12])\.svg$/.exec(file);
  const pattern = PATTERNS[match?.[1] ?? ""];
  if (match === null || pattern === undefined) return undefined;
  const [width, height] = pattern.tileSize;
  const mirror = match[2] === "2" ? ' transform="translate(460 0) scale(-1 1)"' : "";
  const { ground, accent } = pattern;
  const ribs = Array.from({ length: 8 }, (_, i) => `M${144 + 12 * i} 24V54`).join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 420" role="img" aria-label="a pair of ${match[1]} socks">
<defs><pattern id="k" width="${width}" height="${height}" patternUnits="userSpaceOnUse">${pattern.tile(pattern.ink, accent)}</pattern>
<clipPath id="s"><path d="${OUTLINE}"/></clipPath>
<g id="p"><path d="${OUTLINE}" fill="${ground}"/><path d="${OUTLINE}" fill="url(#k)"/>
<g clip-path="url(#s)"><rect x="120" y="14" width="124" height="40" fill="${accent}"/><path d="${ribs}" stroke="${ground}" stroke-width="2"/>
<circle cx="150" cy="330" r="62" fill="${accent}"/><circle cx="338" cy="352" r="46" fill="${accent}"/>
<path d="M132 54H232" stroke="#000" stroke-opacity=".25" stroke-width="2"/><path d="M150 54V280Q150 340 212 356" fill="none" stroke="#fff" stroke-opacity=".18" stroke-width="14"/></g>
<path d="${OUTLINE}" fill="none" stroke="#000" stroke-opacity=".35" stroke-width="3"/></g></defs>
<ellipse cx="232" cy="402" rx="180" ry="12" fill="#000" fill-opacity=".08"/>
<g${mirror}><g transform="translate(66 -6) rotate(3 200 200)"><use href="#p"/><path d="${OUTLINE}" fill="#000" fill-opacity=".16"/></g><use href="#p" transform="translate(-58 6) rotate(-4 200 200)"/></g></svg>`;
}
