/** Files of web/ are imported as text (`with { type: "text" }`), so that they are part of the bundle. */
declare module "*.css" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: the form of an import with type text
  export default text;
}
declare module "*.js" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: the form of an import with type text
  export default text;
}
declare module "*.svg" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: the form of an import with type text
  export default text;
}
declare module "*.html" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: the form of an import with type text
  export default text;
}
