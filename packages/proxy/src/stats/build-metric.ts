/** Which Istio release a proxy stands for: `istio_build{component="proxy",tag="1.28.0"} 1`. */
export const ISTIO_BUILD = { name: "istio_build", labels: ["component", "tag"] };
