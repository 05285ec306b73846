/** Where assets and packages are found: the bundler puts the path in (scripts/conformance.mjs, scripts/test.mjs). */
declare const __ARGYLE_ROOT__: string;

export const repositoryRoot: string = __ARGYLE_ROOT__;
