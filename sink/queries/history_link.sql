with touched as (
    -- Each new row, the row before it and the row after it.
    select {objects}, _event_at from {stage}
    union
    select {neighbour_objects}, neighbour._event_at
    from {stage} as staged
    cross join lateral (
        (
            select * from {history} as other
            where {other_staged} and other._event_at < staged._event_at
            order by other._event_at desc limit 1
        )
        union all
        (
            select * from {history} as other
            where {other_staged} and other._event_at > staged._event_at
            order by other._event_at limit 1
        )
    ) as neighbour
)
update {history} as mine
set valid_to = (
        select min(later._event_at) from {history} as later
        where {later_mine} and later._event_at > mine._event_at
    ),
    changed = (
        select array(
            select field.key
            from jsonb_each(to_jsonb(mine)) as field
            where field.key in ({columns})
                and field.value is distinct from to_jsonb(earlier) -> field.key
            order by field.key
        )
        from {history} as earlier
        where {earlier_mine} and earlier._event_at < mine._event_at
        order by earlier._event_at desc limit 1
    )
from touched
where {mine_touched} and mine._event_at = touched._event_at
