import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import { createKeyAndCsr } from "./csr.ts";

const uris = ["spiffe://cluster.local/ns/a/sa/b", `spiffe://cluster.local/ns/${"n".repeat(63)}/sa/${"s".repeat(253)}`];
for (const uri of uris) {
  test(`makes a request that another library verifies (${uri.length} bytes of URI)`, async () => {
    const { csrPem, privateKeyPem } = createKeyAndCsr(uri);
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    assert.ok(await csr.verify());
    assert.equal(csr.subject, "");
    const san = csr.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
    assert.equal(san?.critical, true);
    assert.deepEqual(san?.names.toJSON(), [{ type: "url", value: uri }]);
    const key = createPrivateKey(privateKeyPem);
    assert.equal(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
  });
}

test("makes a new key each time", () => {
  const [a, b] = [createKeyAndCsr("spiffe://a"), createKeyAndCsr("spiffe://a")];
  assert.notEqual(a?.privateKeyPem, b?.privateKeyPem);
});
