"""Every table that is read or written: its dialects, its values, and which photo a row means."""

from hangtag.tables.cells import Column, Kind, TableRow
from hangtag.tables.reading import TABLE_ENDINGS, Table, is_table_name, open_table

__all__ = ["TABLE_ENDINGS", "Column", "Kind", "Table", "TableRow", "is_table_name", "open_table"]
