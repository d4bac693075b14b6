import { type Examined, type ExamineTask, examine } from './examine.js';

/** Runs on a thread of its own: hashing a model takes as long as reading it. */
export default function run(task: ExamineTask): Promise<Examined> {
  return examine(task);
}
