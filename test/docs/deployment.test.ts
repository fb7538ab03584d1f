import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import { loadConfig, unknownSettings } from "../../src/config.js";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

/** Seconds of a setting such as "20s". */
const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]);

describe("docker-compose.yaml", () => {
  const { services } = parse(read("docker-compose.yaml"));

  it("gives Tally settings that it takes, and asks who calls", () => {
    const environment = { ...services.tally.environment };
    environment.DATABASE_URL = environment.DATABASE_URL.replace(/\$\{[^}]*\}/, "secret");
    const config = loadConfig({ ...environment, TALLY_GRPC_ADDRESS: "0.0.0.0:50051" });
    expect(config.auth.isRequired).to.equal(true);
  });

  it("waits longer for a stop than the server's grace", () => {
    const { stop_grace_period, environment } = services.tally;
    expect(seconds(stop_grace_period) - seconds(environment.TALLY_SHUTDOWN_GRACE)).to.be.least(10);
  });

  it("publishes ports on loopback only", () => {
    for (const port of services.tally.ports) expect(port).to.match(/^127\.0\.0\.1:/);
    expect(services.postgres).to.not.have.property("ports");
    expect(services.redis).to.not.have.property("ports");
  });
});

describe("Dockerfile", () => {
  const dockerfile = read("Dockerfile");
  const ignore = read(".dockerignore").split("\n");
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) =>
    (sources as string).split(" "),
  );

  it("copies what is there and what .dockerignore lets through", () => {
    expect(copied).to.include.members([
      "package.json",
      "package-lock.json",
      ".npmrc",
      "src",
      "gen",
    ]);
    for (const source of copied) {
      expect(existsSync(new URL(source, root)), source).to.equal(true);
      expect(ignore, source).to.include(`!${source}`);
    }
  });

  it("runs as a numbered user that is not root, asks who calls, and checks its health", () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf("FROM "));
    expect(last).to.match(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(last).to.contain("TALLY_AUTH=required");
    expect(last).to.match(/^HEALTHCHECK [\s\S]*"health"\]$/m);
  });
});

describe("deploy/kubernetes", () => {
  const folder = "deploy/kubernetes";
  const documents = (name: string) =>
    parseAllDocuments(read(`${folder}/${name}`)).map((document) => {
      expect(document.errors, name).to.deep.equal([]);
      return document.toJS({ mapAsMap: false });
    });
  const { resources } = parse(read(`${folder}/kustomization.yaml`));
  const [deployment] = documents("deployment.yaml");
  const [{ data: settings }] = documents("config-map.yaml");
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;

  it("has every resource, each with a kind and a name", () => {
    for (const name of [...resources, "secret.example.yaml"]) {
      for (const document of documents(name)) {
        expect(document).to.include.keys("apiVersion", "kind", "metadata");
        expect(document.metadata.name, name).to.match(/^tally/);
      }
    }
  });

  it("gives Tally settings that it takes, and asks who calls", () => {
    expect(unknownSettings(settings)).to.deep.equal([]);
    const [{ stringData }] = documents("secret.example.yaml");
    expect(loadConfig({ ...settings, ...stringData }).auth.isRequired).to.equal(true);
  });

  it("probes the ports that Tally listens on", () => {
    const ports = Object.fromEntries(
      container.ports.map((port: { name: string; containerPort: number }) => [
        port.name,
        port.containerPort,
      ]),
    );
    expect(settings.TALLY_GRPC_ADDRESS).to.equal(`0.0.0.0:${ports.grpc}`);
    expect(settings.TALLY_HTTP_ADDRESS).to.equal(`0.0.0.0:${ports.http}`);
    expect(container.startupProbe.grpc.port).to.equal(ports.grpc);
    expect(container.readinessProbe.httpGet).to.deep.equal({ path: "/readyz", port: "http" });
    expect(container.livenessProbe.httpGet).to.deep.equal({ path: "/healthz", port: "http" });
  });

  it("kills a pod only after its wait and the server's grace", () => {
    const [, wait] = container.lifecycle.preStop.exec.command;
    const needed = Number(wait) + seconds(settings.TALLY_SHUTDOWN_GRACE) + 10;
    expect(spec.terminationGracePeriodSeconds).to.be.least(needed);
  });

  it("selects the pods that it makes", () => {
    const { labels } = deployment.spec.template.metadata;
    expect(deployment.spec.selector.matchLabels).to.deep.equal(labels);
    for (const service of documents("services.yaml")) {
      expect(service.spec.selector).to.deep.equal(labels);
    }
    const [budget] = documents("pod-disruption-budget.yaml");
    expect(budget.spec.selector.matchLabels).to.deep.equal(labels);
  });

  it("runs without root, privileges or a file system to write to", () => {
    expect(spec.securityContext.runAsNonRoot).to.equal(true);
    expect(container.securityContext).to.deep.equal({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });
});

describe("deploy/systemd", () => {
  const unit = read("deploy/systemd/tally.service");
  const env = Object.fromEntries(
    [...read("deploy/systemd/tally.env").matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [
      name as string,
      value as string,
    ]),
  );

  it("gives Tally settings that it takes, and asks who calls", () => {
    expect(unknownSettings(env)).to.deep.equal([]);
    expect(loadConfig(env).auth.isRequired).to.equal(true);
  });

  it("starts a program that is there, and waits longer for its end than the server's grace", () => {
    expect(unit).to.match(/^ExecStart=\/usr\/bin\/node \/opt\/tally\/bin\/tally\.js serve$/m);
    expect(existsSync(fileURLToPath(new URL("bin/tally.js", root)))).to.equal(true);
    const timeout = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    expect(timeout - seconds(env.TALLY_SHUTDOWN_GRACE ?? "")).to.be.least(10);
  });

  it("keeps the data where the unit may write", () => {
    expect(unit).to.match(/^StateDirectory=tally$/m);
    expect(env.TALLY_DATA_DIR).to.match(/^\/var\/lib\/tally\//);
  });
});
