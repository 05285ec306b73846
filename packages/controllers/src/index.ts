export { type ControllersOptions, type RunningControllers, startControllers } from "./all.ts";
