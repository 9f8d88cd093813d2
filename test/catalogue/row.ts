/** One row of the catalogue of real failures: the codes that answer it, or why none does. */
export interface CatalogueRow {
  id: string;
  title: string;
  /** Codes that the doctor gives for it; empty where it gives none. */
  codes: string[];
  /** `lab`: injected into a real stack. `unit`: tried with facts alone. */
  seen?: 'lab' | 'unit';
  /** Why nothing covers it. */
  why?: string;
}
