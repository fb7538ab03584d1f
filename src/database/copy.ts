import type { Client, Connection, Submittable } from "pg";

/** The parts of pg's connection that the protocol of COPY needs; its types leave them out. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/**
 * Runs one `copy … from stdin` with data that is in memory: the callers copy in pieces, each a
 * transaction, so that nothing is gained by a stream, and a package for it would be one more.
 *
 * @param statement - `copy table (columns) from stdin`
 * @param data - rows in COPY's text format
 */
export function copyInto(
  client: Pick<Client, "query">,
  statement: string,
  data: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(createCopy(statement, data, (error) => (error ? reject(error) : resolve())));
  });
}

/** What pg calls while the copy is under way: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY */
function createCopy(statement: string, data: Buffer, end: (error?: Error) => void): Submittable {
  let failure: Error | undefined;
  const copy = {
    submit: (connection: Connection) => connection.query(statement),
    handleCopyInResponse(connection: CopyConnection) {
      connection.sendCopyFromChunk(data);
      connection.endCopyFrom();
    },
    handleCommandComplete() {},
    handleError(error: Error) {
      failure = error;
      end(error);
    },
    handleReadyForQuery() {
      if (failure === undefined) end();
    },
  };
  return copy;
}
