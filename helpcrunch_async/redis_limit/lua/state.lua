-- The state of a budget: one value under one key, read once and written once in each run of the script.
-- It ends with nothing left undone, so that Redis may lose it, or fall back to an older one, at any moment.
--
-- Times are seconds on Redis' clock. `calls` is what is believed to be sustainable in a period, `next` when
-- the next paced turn is due, `credit` how many turns may go ahead of that pace. A cell is some turns that
-- one process took at one time: `t` when, `n` how many, `ok` how many of them the server is known to have
-- accepted. `procs` holds what each process said when it last asked.

local MARGIN = 0.0025 -- of the period: clocks and schedulers are not exact
local EARLY = 0.005 -- seconds a paced turn may go before it is due, for the same reason
local CELLS = 250 -- a period: turns of one process that are closer than that share a cell
local KEPT = 1.25 -- periods of cells that are kept
local EXPIRY = 10 -- periods after which a budget that nobody uses, or a limit, is forgotten

local function window(s)
  return s.period * (1 + MARGIN) + EARLY + s.jitter
end

local function gap(s)
  return window(s) / (s.calls - math.min(1, s.calls / 50))
end

-- How far the pace may lie behind: processes are late by their timers and by the way to Redis.
local function lag(s)
  return math.min(math.max(gap(s) / 2, 0.05), s.period / 20)
end

local function new_state(ask)
  return {
    id = ask.pid .. '.' .. ask.seq,
    version = 0,
    limits = {},
    procs = {},
    cells = {},
    cell = 0,
    epoch = 0,
    streak = 0,
    jitter = 0,
    rtt = 0,
  }
end

-- Never goes back: when Redis' clock is set back, or a replica with another clock takes over, time goes on
-- from where it was.
local function tell_time(s, ask)
  local clock = ask.clock
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] + time[2] / 1e6
  end
  local now = clock + (s.shift or 0)
  if s.now and now < s.now then
    s.shift = (s.shift or 0) + s.now - now
    now = s.now
  end
  s.now = now
  return now
end

-- Of the limits that processes were told, the smallest holds, until it has not been heard of for a while.
local function agree_on_limit(s, ask, now)
  local least
  local kept = {}
  for _, each in ipairs(s.limits) do
    local same = each.limit == ask.limit and each.period == ask.period
    if not same and each.seen > now - EXPIRY * each.period then
      kept[#kept + 1] = each
    end
  end
  kept[#kept + 1] = { limit = ask.limit, period = ask.period, seen = now }
  s.limits = kept
  for _, each in ipairs(kept) do
    local rate, least_rate = each.limit / each.period, least and least.limit / least.period
    if not least or rate < least_rate or (rate == least_rate and each.limit < least.limit) then
      least = each
    end
  end
  if s.limit == least.limit and s.period == least.period then
    return
  end
  local learnt = s.limit and s.calls < s.limit and s.calls / s.period * least.period
  s.limit, s.period = least.limit, least.period
  s.calls = math.min(learnt or s.limit, s.limit)
  s.burst = math.min(s.burst or s.limit, s.limit)
  if not learnt then
    s.burst = s.limit
  end
  s.credit = math.min(s.credit or s.burst, s.burst)
  s.next = s.next or now - s.period
  s.earned_at = s.earned_at or now
end

local function find_cell(s, id)
  for i = #s.cells, 1, -1 do
    if s.cells[i].id == id then
      return s.cells[i]
    end
  end
end

local function note_turns(s, now, pid, n)
  local last
  for i = #s.cells, 1, -1 do
    if s.cells[i].t < now - s.period / CELLS then
      break
    elseif s.cells[i].pid == pid then
      last = table.remove(s.cells, i)
      break
    end
  end
  if not last then
    s.cell = s.cell + 1
    last = { id = s.cell, pid = pid, n = 0, ok = 0 }
  end
  last.t = now
  last.n = last.n + n
  s.cells[#s.cells + 1] = last
  return last.id
end

local function take_back(s, id, n)
  local cell = find_cell(s, id)
  if cell then
    n = math.min(n, cell.n)
    cell.n = cell.n - n
    s.next = s.next - n * gap(s)
  end
end

local function forget_old_cells(s, now)
  if s.gate then
    return -- the count that a pause is about is still to come
  end
  local oldest = now - math.max(window(s), KEPT * s.period)
  local kept = {}
  for _, cell in ipairs(s.cells) do
    if cell.t > oldest and cell.n > 0 then
      kept[#kept + 1] = cell
    end
  end
  s.cells = kept
end

-- What a process has sent of late, told by itself: Redis may have forgotten, or it was not asked.
local function recall(s, ask, now)
  local kept = {}
  for _, cell in ipairs(s.cells) do
    if cell.pid ~= ask.pid then
      kept[#kept + 1] = cell
    end
  end
  for _, each in ipairs(ask.history.cells) do
    s.cell = s.cell + 1
    kept[#kept + 1] = { id = s.cell, pid = ask.pid, t = now - each[1], n = each[2], ok = each[2] }
  end
  table.sort(kept, function(a, b) return a.t < b.t or (a.t == b.t and a.id < b.id) end)
  s.cells = kept
  s.credit = 0
  s.calls = math.min(s.calls, math.max(1, ask.history.calls))
end

-- When the hard window has room, and for how many turns.
local function window_frees(s, now)
  local most, count = math.min(s.limit, math.ceil(s.calls)), 0
  for i = #s.cells, 1, -1 do
    local cell = s.cells[i]
    if cell.t <= now - window(s) then
      break
    end
    count = count + cell.n
    if count >= most then
      return cell.t + window(s), 0
    end
  end
  return now, most - count
end
