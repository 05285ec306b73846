/** Reads dist/images/index.json, the file that scripts/build.mjs writes. A missing or broken index is a broken build: it throws. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@argyle/core";
import { createImageIndex, type ImageEntry, type ImageIndex } from "./image-index.ts";

export function loadImageIndex(distDir: string): ImageIndex {
  const path = join(distDir, "images/index.json");
  try {
    return createImageIndex(JSON.parse(readFileSync(path, "utf8")) as readonly ImageEntry[], distDir);
  } catch (error) {
    throw new MeshError(`cannot read ${path}`, {
      code: "kubelet.images.unreadable",
      cause: error,
      advice: "npm run build",
    });
  }
}
