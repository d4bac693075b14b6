/** Bounds on JSON, whatever it says. */
export interface JsonRules {
  /** Nested arrays and objects. */
  readonly maxDepth: number;
  /** Members of all objects together. */
  readonly maxKeys: number;
  /** Bytes of one string as it stands in the text. */
  readonly maxStringBytes: number;
  /** Characters of one number. */
  readonly maxNumberCharacters: number;
  readonly duplicateKeys: 'refuse' | 'last';
}

/** What one tensor of a request has to be. Undefined: anything. */
export interface TensorRule {
  /** Name of the tensor; undefined: every tensor that no rule names. */
  readonly name: string | undefined;
  /** A datatype of the Open Inference Protocol. */
  readonly datatype: string | undefined;
  /** One entry a dimension; -1: any length, `[min, max]`: a length between. */
  readonly shape: readonly (number | readonly [number, number])[] | undefined;
  readonly maxElements: number | undefined;
  /** Neither NaN nor infinite. */
  readonly finite: boolean;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export type ImageFormat = 'png' | 'jpeg' | 'gif' | 'webp' | 'bmp' | 'tiff';

/** What an image's own head may say, before anything of it is decoded. */
export interface ImageRules {
  readonly formats: readonly ImageFormat[];
  /** Width × height × frames. */
  readonly maxPixels: number;
  readonly maxFrames: number;
  readonly maxSide: number;
}

/** What to do with something that a text should not hold. */
export type Treatment = 'allow' | 'refuse' | 'strip';

export interface TextRules {
  /** JSON pointers with `*` for any member; empty: every string of a JSON body, and the whole of a text body. */
  readonly at: readonly string[];
  readonly normalize: 'NFC' | 'NFKC' | 'none';
  /** C0 and C1 controls but tab, line feed and carriage return. */
  readonly control: Treatment;
  /** Bidirectional embeddings, overrides and isolates. */
  readonly bidi: Treatment;
  /** Characters of no width, tag characters, variation selectors in a row. */
  readonly invisible: Treatment;
  /** Code points. */
  readonly maxCharacters: number | undefined;
  readonly maxBytes: number | undefined;
  /** RE2 expressions, of which none may be found. */
  readonly deny: readonly string[];
  /** RE2 expression that the whole text has to match. */
  readonly allow: string | undefined;
  /** Markup: `strip` takes tags and scripts out, `escape` writes them as entities. */
  readonly html: Treatment | 'escape';
}

/** Who judges a text, and what happens then. */
export interface GuardRule {
  /** The built-in detector `prompt-injection`, or the name of another served model. */
  readonly by: { readonly kind: 'built-in'; readonly detector: 'prompt-injection' } | { readonly kind: 'model'; readonly name: string };
  readonly on: 'input' | 'output';
  /** JSON pointers as in TextRules; empty: all text. */
  readonly at: readonly string[];
  /** Scores from here on are a refusal; 0 to 1. */
  readonly threshold: number;
  readonly timeoutMs: number;
  /** What its own failure or time-out means. */
  readonly fail: 'closed' | 'open';
  /** `report` counts and lets pass. */
  readonly action: 'refuse' | 'report';
}

/** What a model's answer goes through before a client sees it. */
export interface OutputRules {
  /** `escape`: markup characters of text answers are written as entities. Never is an answer text/html unless `allow`. */
  readonly html: 'allow' | 'escape';
  /** A JSON or tensor answer with NaN or an infinity is a failure of the model. */
  readonly finite: boolean;
}

/** `sconce: inputs:` of model-config.yaml, read: what a request has to be before a worker sees it. */
export interface InputRules {
  readonly maxBytes: number | undefined;
  /** Media types; empty: any. */
  readonly contentTypes: readonly string[];
  readonly json: JsonRules;
  /** JSON Schema, 2020-12. */
  readonly schema: Readonly<Record<string, unknown>> | boolean | undefined;
  readonly tensors: readonly TensorRule[];
  readonly images: ImageRules | undefined;
  readonly text: readonly TextRules[];
  readonly guards: readonly GuardRule[];
  readonly outputs: OutputRules | undefined;
}
