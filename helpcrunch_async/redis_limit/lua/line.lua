-- The line across processes: who is next. Each process says how many callers it has in a lane, and how long
-- the first and the last of them have waited; those between are taken to have come at even distances.

local LATE = 0.1 -- seconds after which a process that does not come is passed over
local INTERACTIVE_PER_BULK = 3
local MOST_STEPS = 64 -- turns that are looked ahead
local HEARTBEAT = 1 -- seconds, at least, after which a process that waits asks again, come what may

-- Everybody who waits and can be expected, as copies to be used up.
local function gather(s, now, asker)
  local line = { i = {}, b = {}, count = { i = 0, b = 0 }, streak = s.streak, processes = 0 }
  for pid, proc in pairs(s.procs) do
    local here = pid == asker or (proc.due and proc.due + LATE >= now)
    for lane, waiting in pairs(here and proc.lanes or {}) do
      local step = waiting.n > 1 and (waiting.last - waiting.first) / (waiting.n - 1) or 0
      table.insert(line[lane], {
        pid = pid,
        n = waiting.n,
        first = waiting.first,
        step = step,
        ready = pid == asker and now or proc.due,
      })
      line.count[lane] = line.count[lane] + waiting.n
    end
    if here then
      line.processes = line.processes + 1
    end
  end
  return line
end

local function next_lane(line)
  if line.count.b > 0 and (line.count.i == 0 or line.streak >= INTERACTIVE_PER_BULK) then
    return 'b'
  end
  return line.count.i > 0 and 'i' or nil
end

-- The process whose caller came first. One that will sleep beyond the turn does not hold it up.
local function first_in(line, lane, at)
  local first
  for _, head in ipairs(line[lane]) do
    if head.n > 0 and head.ready <= at + LATE then
      if not first or head.first < first.first or (head.first == first.first and head.pid < first.pid) then
        first = head
      end
    end
  end
  return first
end

local function next_head(line, at)
  local lane = next_lane(line)
  local head = lane and first_in(line, lane, at)
  if lane and not head then -- those of this lane all sleep
    lane = lane == 'i' and 'b' or 'i'
    head = first_in(line, lane, at)
  end
  return head, lane
end

local function step_forward(line, head, lane)
  head.n = head.n - 1
  head.first = head.first + head.step
  line.count[lane] = line.count[lane] - 1
  line.streak = (lane == 'b' or line.count.b == 0) and 0 or line.streak + 1
end
