select index.indisvalid
from pg_catalog.pg_index as index
where index.indexrelid = to_regclass($1::text)
