/** Tables for people: what each column is called stands beside what it shows. */
import Table from 'cli-table3'

/** The name of a column, and its cell of a row. */
export type Column<Row> = readonly [head: string, cell: (row: Row) => string | number]

/** The rows as a table, without colours. */
export function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const table = new Table({ head: columns.map(([head]) => head), style: { head: [], border: [] } })
  for (const row of rows) table.push(columns.map(([, cell]) => cell(row)))
  return table.toString()
}
