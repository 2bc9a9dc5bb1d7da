insert into {difference} ({key}, finding, row_at)
select
    {either_key},
    case
        when mine.id is null then 'missing'
        when staged.id is null then 'extra'
        when mine._event_at > staged._event_at then 'ahead'
        when mine._event_at is null or mine._event_at < staged._event_at then 'behind'
        else 'wrong'
    end as finding,
    mine._event_at
from {shadow} as staged
full join {target} as mine on {same}
where mine.id is null
    or staged.id is null
    or mine._event_at is distinct from staged._event_at
    or ({columns}) is distinct from ({values})
-- Within a finding in the order of the bytes, in which the sink locks rows, too: who takes locks in
-- one order cannot deadlock.
order by finding, {places}
