select
    relation.oid,
    relation.relkind::text,
    coalesce(
        (
            select array_agg(attribute.attname::text order by place)
            from pg_catalog.pg_index as key,
                unnest(key.indkey::smallint[]) with ordinality as part (number, place)
            join pg_catalog.pg_attribute as attribute on attribute.attnum = part.number
            where key.indrelid = relation.oid
                and attribute.attrelid = relation.oid
                and key.indisprimary
        ),
        '{}'
    )
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
where namespace.nspname = $1::text and relation.relname = $2::text
