/** A throw-away CA and one SPIFFE certificate a workload, made with openssl: ECDSA P-256, as istiod signs them. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface WorkloadCertificate {
  readonly id: string;
  readonly chain: string;
  readonly key: string;
  /** Key and certificate in one file, as haproxy wants them. */
  readonly bundle: string;
}

export interface BenchAuthority {
  readonly root: string;
  readonly rootFile: string;
  issue(workload: string): WorkloadCertificate;
}

export function createBenchAuthority(dir: string): BenchAuthority {
  const openssl = (...argv: readonly string[]) => void execFileSync("openssl", argv, { cwd: dir, stdio: "ignore" });
  const newKey = (name: string) =>
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", `${name}.key`);
  newKey("root");
  openssl("req", "-x509", "-key", "root.key", "-subj", "/O=cluster.local", "-days", "1", "-out", "root.pem");
  const rootFile = join(dir, "root.pem");
  return {
    root: readFileSync(rootFile, "utf8"),
    rootFile,
    issue(workload) {
      const id = `spiffe://cluster.local/ns/shop/sa/${workload}`;
      newKey(workload);
      writeFileSync(
        join(dir, `${workload}.ext`),
        `subjectAltName=critical,URI:${id}\nextendedKeyUsage=serverAuth,clientAuth\n`,
      );
      openssl("req", "-new", "-key", `${workload}.key`, "-subj", "/", "-out", `${workload}.csr`);
      openssl(
        "x509",
        "-req",
        "-in",
        `${workload}.csr`,
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-days",
        "1",
        "-extfile",
        `${workload}.ext`,
        "-out",
        `${workload}.crt`,
      );
      const chain = readFileSync(join(dir, `${workload}.crt`), "utf8");
      const key = readFileSync(join(dir, `${workload}.key`), "utf8");
      const bundle = join(dir, `${workload}.pem`);
      writeFileSync(bundle, chain + key);
      return { id, chain, key, bundle };
    },
  };
}
