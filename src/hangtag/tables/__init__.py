"""Reading and writing tables: dialects, values, and matching rows to photos."""

from hangtag.tables.cells import Column, Kind, TableRow
from hangtag.tables.reading import TABLE_ENDINGS, Table, is_table_name, open_table

__all__ = ["TABLE_ENDINGS", "Column", "Kind", "Table", "TableRow", "is_table_name", "open_table"]
