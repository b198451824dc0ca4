/** Catalogues are bundled as texts. */
declare module "*.ftl" {
  const text: string;
  export default text;
}

/** Name of the engine's file, beside the page's script. */
declare const ENGINE_FILE: string;

/** Name of the signer's file, beside the page's script. */
declare const SIGNER_FILE: string;
