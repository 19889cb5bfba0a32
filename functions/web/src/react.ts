/** A React hook over `agentTask`: submit a task of an agent, see it at work, and get its answer. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { agentTask, type BatonClient, type Task, type TaskState } from "../../baton/server/web/static/baton.js";

export type { BatonClient, Task, TaskState };

export interface AgentTaskOptions {
  /** Who asks; keep it between renderings. */
  client: BatonClient;
  /** The agent of tasks that name none. */
  jobType?: string;
  /** Each job gets the tag `enterpriseId:ID`, by which lists find it. Whose jobs they are follows from the client's key. */
  enterpriseId?: string;
  onComplete?: (task: Task) => void;
  onError?: (error: Error) => void;
}

export interface AgentTask extends TaskState {
  /**
   * Submit a job (`jobType`, `taskDescription`, …, or seed 002's `prompt` and `context`) and follow it; null: it was
   * refused or has failed, see `error`.
   */
  submitTask: (body: Record<string, unknown>) => Promise<Task | null>;
  /** Follow a job again, after a reload for example. */
  resumeTask: (jobId: string) => Promise<Task | null>;
}

/** The state of one task at a time. A component that goes away stops following, and the job goes on. */
export function useAgentTask({ client, onComplete, onError, ...asked }: AgentTaskOptions): AgentTask {
  const latest = useRef({ onComplete, onError, asked });
  const following = useRef(new AbortController());
  const [state, setState] = useState<TaskState>({
    isSubmitting: false,
    isProcessing: false,
    currentTask: null,
    error: null,
  });
  useEffect(() => {
    latest.current = { onComplete, onError, asked };
  });
  useEffect(() => {
    const controller = (following.current = new AbortController());
    return () => controller.abort();
  }, [client]);
  const task = useMemo(
    () =>
      agentTask(client, {
        get signal() {
          return following.current.signal;
        },
        onChange: (changed) => setState({ ...changed }),
        onComplete: (done) => latest.current.onComplete?.(done),
        onError: (error) => latest.current.onError?.(error),
      }),
    [client],
  );
  const submitTask = useCallback(
    (body: Record<string, unknown>) => task.submitTask(bodyOf(body, latest.current.asked)),
    [task],
  );
  return { ...state, submitTask, resumeTask: task.resumeTask };
}

type Asked = Pick<AgentTaskOptions, "jobType" | "enterpriseId">;

function bodyOf({ prompt, context, tags, ...body }: Record<string, unknown>, { jobType, enterpriseId }: Asked) {
  const all = [...((tags as string[] | undefined) ?? []), ...(enterpriseId ? [`enterpriseId:${enterpriseId}`] : [])];
  return { jobType, taskDescription: prompt, inputData: context, ...body, ...(all.length ? { tags: all } : {}) };
}
