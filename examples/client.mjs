// Keep ttsctl as a child process and ask it for speech: Node alone, no packages.
//
//     node client.mjs OUTPUT_FOLDER [COMMAND ...]
//
// COMMAND starts ttsctl; without it the variable TTSCTL is taken, or plain `ttsctl`.

import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

class TtsError extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

class TtsService {
  #waiting = new Map(); // by id: what to do with what comes
  #lastId = 0;
  #child;
  #exited;

  // Start ttsctl; `ready` resolves when it can be asked.
  constructor(outputRoot, [program, ...args]) {
    args = [...args, "serve", "--stdio", "--output-root", outputRoot];
    this.#child = spawn(program, args, { stdio: "pipe" });
    this.#child.stdin.on("error", () => {}); // it has ended: "close" tells everybody who waits
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#receive(line));
    this.#exited = new Promise((resolve, reject) => {
      this.#child.on("error", reject); // there is no such program
      this.#child.on("close", resolve);
    });
    this.#exited.catch(() => {}).finally(() => this.#giveUp());
    this.ready = this.#started(30_000);
  }

  // Send a request; the promise has its reply, or is rejected with a TtsError.
  // `onAudio` gets each piece of sound where `stream: true` is among the fields.
  request(action, fields = {}, onAudio = () => {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onAudio });
      this.#child.stdin.write(JSON.stringify({ id, action, ...fields }) + "\n");
    });
  }

  // Let it finish what it has in hand; resolves with its exit code.
  close() {
    this.#child.stdin.end();
    return this.#exited;
  }

  #receive(line) {
    const reply = JSON.parse(line);
    const request = this.#waiting.get(reply.id);
    if (request === undefined) return; // to a line that could not be read
    if (reply.event === "audio") {
      request.onAudio(Buffer.from(reply.data, "base64"));
      return;
    }
    this.#waiting.delete(reply.id);
    if (reply.success === false) request.reject(new TtsError(reply.error));
    else request.resolve(reply);
  }

  #started(timeoutMs) {
    return new Promise((resolve, reject) => {
      const fail = (message) => reject(new TtsError({ code: "ENDED", message }));
      const timer = setTimeout(() => {
        fail("the service did not start in time");
        this.#child.kill();
      }, timeoutMs);
      createInterface({ input: this.#child.stderr }).on("line", (line) => {
        if (!line.startsWith("{")) console.error(line); // a warning, for people
        else if (JSON.parse(line).status === "ready") resolve();
      });
      this.#exited.then(() => fail("the service did not start"), reject);
      const stopTimer = () => clearTimeout(timer);
      this.#exited.then(stopTimer, stopTimer);
    });
  }

  #giveUp() {
    const error = new TtsError({ code: "ENDED", message: "the service has ended" });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

async function speak(service, root) {
  const pieces = [];
  // All at once: the replies come as they are finished.
  const [first, second, streamed, refused] = await Promise.all([
    service.request("synthesize", { text: "The first of two.", outputPath: "first.wav" }),
    service.request("synthesize", { text: "And the second.", outputPath: "second.opus" }),
    service.request(
      "synthesize",
      { text: "Heard as it is made.", stream: true, format: "pcm" },
      (piece) => pieces.push(piece),
    ),
    service
      .request("synthesize", { text: "Hello", voice: "nobody:knows" })
      .then(() => null, (error) => error.code),
  ]);

  const streamedTo = path.join(root, "streamed.pcm");
  const sound = Buffer.concat(pieces);
  await writeFile(streamedTo, sound);
  const { status } = await service.request("ping");
  return {
    files: [first, second].map(({ filePath, duration }) => ({ path: filePath, duration })),
    streamed: { path: streamedTo, bytes: sound.length, duration: streamed.duration },
    refused,
    status,
  };
}

const [folder, ...command] = process.argv.slice(2);
const root = path.resolve(folder);
await mkdir(root, { recursive: true });
const service = new TtsService(
  root,
  command.length ? command : (process.env.TTSCTL ?? "ttsctl").split(" "),
);
try {
  await service.ready;
  const summary = await speak(service, root);
  console.log(JSON.stringify({ ...summary, exit_code: await service.close() }));
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
  await service.close().catch(() => {});
}
