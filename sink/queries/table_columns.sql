select
    attribute.attname::text,
    format_type(attribute.atttypid, attribute.atttypmod),
    -- Whether an insert has to give it: a generated or identity column fills itself.
    attribute.attnotnull and not attribute.atthasdef and attribute.attidentity = ''
from pg_catalog.pg_attribute as attribute
where attribute.attrelid = $1::oid and attribute.attnum > 0 and not attribute.attisdropped
