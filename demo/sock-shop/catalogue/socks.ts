/** The ten socks on sale: ids, names, prices and stock as the original shop has them, descriptions and pictures our own. */
export const TAGS = [
  "brown",
  "geek",
  "formal",
  "blue",
  "skin",
  "red",
  "action",
  "sport",
  "black",
  "magic",
  "green",
] as const;

export type Tag = (typeof TAGS)[number];

export interface SockSeed {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price: number;
  readonly count: number;
  readonly picture: string;
  readonly tags: readonly Tag[];
}

export const SOCKS: readonly SockSeed[] = [
  {
    id: "6d62d909-f957-430e-8689-b5129c0bb75e",
    name: "Weave special",
    description:
      "A limited run in the colours of the loom that started it all. Every thread crosses every other thread exactly once.",
    price: 17.15,
    count: 33,
    picture: "weave",
    tags: ["geek", "black"],
  },
  {
    id: "03fef6ac-1896-4ce8-bd69-b798f85c6e0b",
    name: "Holy",
    description: "Ventilated on purpose. The holes are part of the design and not covered by the guarantee.",
    price: 99.99,
    count: 1,
    picture: "holy",
    tags: ["action", "magic"],
  },
  {
    id: "808a2de1-1aaa-4c25-a9b9-6612e8f29a38",
    name: "Crossed",
    description: "Two diagonals that meet at the ankle. Goes with anything that has a right angle.",
    price: 17.32,
    count: 738,
    picture: "crossed",
    tags: ["action", "red", "blue", "formal"],
  },
  {
    id: "510a0d7e-8e83-4193-b483-e27e09ddc34d",
    name: "SuperSport XL",
    description: "Ribbed, padded and long enough for a goalkeeper. Dries before the second half.",
    price: 15,
    count: 820,
    picture: "sport",
    tags: ["sport", "black", "formal"],
  },
  {
    id: "3395a43e-2d88-40de-b95f-e00e1502085b",
    name: "Colourful",
    description: "Every colour that was left at the end of the season, in a proper argyle. No two pairs alike.",
    price: 18,
    count: 438,
    picture: "colourful",
    tags: ["brown", "blue"],
  },
  {
    id: "d3588630-ad8e-49df-bbd7-3167f7efb246",
    name: "YouTube.sock",
    description: "Comfortable for long sittings. Please remember to like and darn.",
    price: 10.99,
    count: 801,
    picture: "video",
    tags: ["formal", "geek"],
  },
  {
    id: "819e1fbf-8b7e-4f6d-811f-693534916a8b",
    name: "Figueroa",
    description: "A quiet green with a thin stripe, named for the street where the first pair was lost.",
    price: 14,
    count: 808,
    picture: "figueroa",
    tags: ["green", "formal", "blue"],
  },
  {
    id: "837ab141-399e-4c1f-9abc-bace40296bac",
    name: "Cat socks",
    description: "Knitted by people, approved by cats, destroyed by both.",
    price: 15,
    count: 175,
    picture: "cat",
    tags: ["brown", "formal", "green"],
  },
  {
    id: "zzz4f044-b040-410d-8ead-4de0446aec7e",
    name: "Classic",
    description: "Plain, warm and on time. The sock that all the others are compared with.",
    price: 12,
    count: 127,
    picture: "classic",
    tags: ["brown", "green"],
  },
  {
    id: "a0a4f044-b040-410d-8ead-4de0446aec7e",
    name: "Nerd leg",
    description: "For legs that would rather be at a keyboard. Patterned with ones, zeroes and one deliberate error.",
    price: 7.99,
    count: 115,
    picture: "nerd",
    tags: ["blue", "skin"],
  },
];
