select attribute.attname::text, format_type(attribute.atttypid, attribute.atttypmod)
from pg_catalog.pg_attribute as attribute
where attribute.attrelid = $1::oid and attribute.attnum > 0 and not attribute.attisdropped
